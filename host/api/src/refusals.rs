//! Refusals that hyper writes itself, because what came is no request that could be handled: they have a status and no
//! body. Here they get the body that all other refusals have.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};

/// Statuses that hyper answers by itself, with what is wrong.
const OWN: [(&[u8], &str); 3] = [
    (b"HTTP/1.1 400 ", "the request is not HTTP"),
    (b"HTTP/1.1 414 ", "the request target is too long"),
    (b"HTTP/1.1 431 ", "the headers of the request are too large"),
];

/// A connection whose refusals all have bodies.
pub struct Explained<S> {
    stream: S,
    /// What is sent in place of bytes that hyper wants to send, and how much of it is out.
    pending: Option<(Vec<u8>, usize)>,
}

impl<S> Explained<S> {
    /// Around a connection.
    pub fn new(stream: S) -> Self {
        Self { stream, pending: None }
    }
}

/// What to send in place of `head`, if that is a refusal without a body. Those of handlers never are: they have one.
fn explained(head: &[u8]) -> Option<Vec<u8>> {
    let (start, detail) = OWN.iter().find(|(start, _)| head.starts_with(start))?;
    let text = std::str::from_utf8(head).ok()?;
    if !text.ends_with("\r\n\r\n") || !text.to_ascii_lowercase().contains("\r\ncontent-length: 0\r\n") {
        return None;
    }
    let status = std::str::from_utf8(start).ok()?.split(' ').nth(1)?;
    let reason = text.lines().next()?.splitn(3, ' ').nth(2)?;
    let body =
        format!("{{\"detail\":\"{detail}\",\"status\":{status},\"title\":\"{reason}\",\"type\":\"about:blank\"}}");
    let answer = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: application/problem+json\r\nx-content-type-options: nosniff\r\n\
         cache-control: no-store\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    Some(answer.into_bytes())
}

impl<S: Write + Unpin> Explained<S> {
    /// Sends what is pending; then `sent` bytes of hyper's count as sent.
    fn poll_pending(&mut self, context: &mut Context<'_>, sent: usize) -> Poll<io::Result<usize>> {
        while let Some((bytes, out)) = &mut self.pending {
            let rest = bytes.get(*out..).unwrap_or_default();
            if rest.is_empty() {
                self.pending = None;
                break;
            }
            match Pin::new(&mut self.stream).poll_write(context, rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => *out += written,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(sent))
    }
}

impl<S: Read + Unpin> Read for Explained<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: Write + Unpin> Write for Explained<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.pending.is_none() {
            self.pending = explained(bytes).map(|answer| (answer, 0));
        }
        match self.pending {
            // Polled again with the same bytes until all of the answer is out.
            Some(_) => self.poll_pending(context, bytes.len()),
            None => Pin::new(&mut self.stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A refusal of hyper's own is one part; an answer of a handler has a head and a body.
        match parts {
            [only] => self.poll_write(context, only),
            _ => Pin::new(&mut self.stream).poll_write_vectored(context, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bare_refusals_are_explained() {
        let bare = |status: &str| {
            format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\ndate: x\r\n\r\n").into_bytes()
        };
        for (status, said) in [
            ("400 Bad Request", "not HTTP"),
            ("414 URI Too Long", "target"),
            ("431 Request Header Fields Too Large", "headers"),
        ] {
            let answer = String::from_utf8(explained(&bare(status)).unwrap()).unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{head}");
            assert!(head.contains(&format!("content-length: {}", body.len())) && body.contains(said), "{answer}");
            let problem: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(problem["title"], status.split_once(' ').unwrap().1);
        }
        for other in [
            bare("404 Not Found"),
            bare("200 OK"),
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 20\r\n\r\n".to_vec(),
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\nmore".to_vec(),
            b"{\"status\": 400}".to_vec(),
            Vec::new(),
        ] {
            assert_eq!(explained(&other), None, "{}", String::from_utf8_lossy(&other));
        }
    }
}
