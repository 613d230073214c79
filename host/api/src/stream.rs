//! A response body that is read from a file while it is sent. No thread waits for a slow client: each piece is read by
//! a short job of its own.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use cavra_artifacts::PartReader;
use hyper::body::{Frame, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

type Reading = JoinHandle<(PartReader, io::Result<Option<Vec<u8>>>)>;

/// The body.
pub struct PieceBody {
    reader: Option<PartReader>,
    reading: Option<Reading>,
    left: u64,
}

impl PieceBody {
    /// The part that `reader` hands out, `bytes` long.
    pub fn new(reader: PartReader, bytes: u64) -> Self {
        Self { reader: Some(reader), reading: None, left: bytes }
    }
}

impl HttpBody for PieceBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if let Some(mut reader) = self.reader.take() {
            self.reading = Some(spawn_blocking(move || {
                let piece = reader.next_piece();
                (reader, piece)
            }));
        }
        let Some(reading) = self.reading.as_mut() else { return Poll::Ready(None) };
        let Poll::Ready(read) = Pin::new(reading).poll(context) else { return Poll::Pending };
        self.reading = None;
        // An error ends the connection before the announced length is reached, so the client cannot take it for whole.
        let failed = |error: io::Error| {
            tracing::error!(error = &error as &dyn std::error::Error, "an artifact could not be sent");
            Poll::Ready(Some(Err(error)))
        };
        match read {
            Ok((reader, Ok(Some(piece)))) => {
                self.reader = Some(reader);
                self.left = self.left.saturating_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                Poll::Ready(Some(Ok(Frame::data(piece.into()))))
            }
            Ok((_, Ok(None))) => failed(io::ErrorKind::UnexpectedEof.into()),
            Ok((_, Err(error))) => failed(error),
            Err(error) => failed(io::Error::other(error)),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
