//! What follows from an answer.

use crate::types::{Exchange, Failure, Outcome, Response, Verdict};
use crate::{Object, Row};

/// What the last exchange comes to.
pub(crate) fn of(row: &Row, exchange: &Exchange) -> Outcome {
    let (verdict, reference) = match &exchange.response {
        Ok(response) => (denial(row, response).unwrap_or(of_status(response.status)), reference(row, response)),
        Err(Failure::Unreachable | Failure::TimedOut) => (Verdict::Passing, None),
        Err(Failure::Broken | Failure::NotPermitted) => (Verdict::HeldUp, None),
    };
    Outcome { verdict, retry_after: None, reference, detail: String::new() }
}

const fn of_status(status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Accepted,
        408 | 425 | 429 | 500..=599 => Verdict::Passing,
        // A credential that is wrong or may not do this, a licence that ran out, a proxy that wants to be asked.
        401 | 402 | 403 | 407 => Verdict::HeldUp,
        _ => Verdict::Refused,
    }
}

/// What an answer says in its body against its status.
fn denial(row: &Row, response: &Response) -> Option<Verdict> {
    row.denial?(&answer(response)?)
}

/// The object that an answer with 2xx holds.
fn answer(response: &Response) -> Option<Object> {
    let fine = (200..300).contains(&response.status);
    fine.then(|| serde_json::from_slice(&response.body).ok()).flatten()
}

fn reference(row: &Row, response: &Response) -> Option<String> {
    let answer = answer(response)?;
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    let found = row.reference?(&answer)?;
    Some(found).filter(|text| (1..=64).contains(&text.len()) && text.bytes().all(plain))
}
