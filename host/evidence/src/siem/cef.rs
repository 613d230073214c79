//! Common Event Format, version 0: one line per event.

use super::event::SecurityEvent;

pub fn encode(event: &SecurityEvent<'_>) -> String {
    let head = [
        "CAVRA",
        "cavra",
        env!("CARGO_PKG_VERSION"),
        if event.rule.is_empty() { "unknown" } else { event.rule },
        &format!("{} {}", event.action_type, event.verdict),
        severity(event.severity),
    ];
    let head: Vec<_> = head.into_iter().map(header).collect();
    let (server, tool) = if event.action_type == "mcp_tool_call" { event.mcp_call() } else { ("", "") };
    let path = if matches!(event.action_type, "read_file" | "write_file") { event.target } else { "" };
    let command = if event.action_type == "execute_command" { event.target } else { "" };
    let approval = event.approval.map(|approval| format!("{} {}", approval.id, approval.state)).unwrap_or_default();
    let time = event.millis().to_string();
    let members = [
        ("rt", time.as_str()),
        ("externalId", event.id),
        ("cat", event.action_type),
        ("act", event.verdict),
        ("outcome", if event.effect.permits() { "permitted" } else { "refused" }),
        ("suser", event.actor),
        ("sourceServiceName", event.agent),
        ("destinationServiceName", server),
        ("requestMethod", tool),
        ("filePath", path),
        ("cs1", event.session),
        ("cs1Label", "session"),
        ("cs2", event.repository),
        ("cs2Label", "repository"),
        ("cs3", event.pack),
        ("cs3Label", "policyPack"),
        ("cs4", command),
        ("cs4Label", "commandLine"),
        ("cs5", &approval),
        ("cs5Label", "approval"),
        ("cs6", event.target),
        ("cs6Label", "target"),
        ("reason", event.rule),
        ("msg", event.reason),
    ];
    let present = |name: &str| {
        let named = name.strip_suffix("Label").unwrap_or(name);
        members.iter().any(|(member, value)| *member == named && !value.is_empty())
    };
    let extension: Vec<_> = members
        .iter()
        .filter(|(name, _)| present(name))
        .map(|(name, value)| format!("{name}={}", extension(value)))
        .collect();
    format!("CEF:0|{}|{}", head.join("|"), extension.join(" "))
}

/// A value of the header: backslashes and bars escaped, on one line.
fn header(value: &str) -> String {
    let mut out = String::new();
    for c in value.chars() {
        match c {
            '\\' | '|' => out.extend(['\\', c]),
            c if breaks_line(c) => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A value of the extension: backslashes and equals signs escaped, line breaks spelled out.
fn extension(value: &str) -> String {
    let mut out = String::new();
    for c in value.chars() {
        match c {
            '\\' | '=' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c if breaks_line(c) => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// What some receiver takes for the end of a line or of the message.
fn breaks_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// CEF counts from 0 to 10.
fn severity(severity: &str) -> &'static str {
    match severity {
        "low" => "3",
        "medium" => "5",
        "high" => "8",
        "critical" => "10",
        _ => "0",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cavra_model::{Object, Timestamp};
    use proptest::prelude::*;
    use serde_json::json;

    /// Reads a line as the specification describes it, independently of how it was written.
    fn parse(line: &str) -> (Vec<String>, Vec<(String, String)>) {
        let mut head = vec![String::new()];
        let mut rest = line.strip_prefix("CEF:0|").unwrap().chars();
        while head.len() < 7 {
            match rest.next().unwrap() {
                '\\' => head.last_mut().unwrap().push(rest.next().unwrap()),
                '|' => head.push(String::new()),
                c => head.last_mut().unwrap().push(c),
            }
        }
        head.pop();
        // A key is the word before an equals sign that is not escaped.
        let text: Vec<char> = rest.collect();
        let mut equals = Vec::new();
        let mut at = 0;
        while at < text.len() {
            match text[at] {
                '\\' => at += 1,
                '=' => equals.push(at),
                _ => {}
            }
            at += 1;
        }
        let start_of_key = |end: usize| text[..end].iter().rposition(|c| *c == ' ').map_or(0, |space| space + 1);
        let mut members = Vec::new();
        for (index, &equal) in equals.iter().enumerate() {
            let name: String = text[start_of_key(equal)..equal].iter().collect();
            let end = equals.get(index + 1).map_or(text.len(), |next| start_of_key(*next) - 1);
            let mut value = String::new();
            let mut chars = text[equal + 1..end].iter();
            while let Some(c) = chars.next() {
                match c {
                    '\\' => match chars.next().unwrap() {
                        'n' => value.push('\n'),
                        'r' => value.push('\r'),
                        other => value.push(*other),
                    },
                    c => value.push(*c),
                }
            }
            members.push((name, value));
        }
        (head, members)
    }

    fn decision(rule: &str, target: &str, reason: &str) -> Object {
        json!({
            "decision_id": "dec_1", "session_id": "s", "action_type": "execute_command", "decision": "block",
            "severity": "high", "rule_id": rule, "target": target, "reason": reason,
        })
        .as_object()
        .unwrap()
        .clone()
    }

    fn flat(text: &str, keep_breaks: bool) -> String {
        let keep = |c: char| keep_breaks && matches!(c, '\n' | '\r');
        text.chars().map(|c| if breaks_line(c) && !keep(c) { ' ' } else { c }).collect()
    }

    proptest! {
        /// Whatever an agent asks for, the line is one line and reads back as what was meant.
        #[test]
        fn hostile_values_read_back(
            rule in "[a-z|\\\\=\n\r\u{2028}\u{1f600} ]{1,12}",
            target in "(?s).{0,40}",
            reason in "[|=\\\\ \n\racs1=Label]{0,40}",
        ) {
            let decision = decision(&rule, &target, &reason);
            let line = encode(&SecurityEvent::of(&decision, Timestamp::from_micros(0)));
            prop_assert_eq!(line.lines().count(), 1);
            prop_assert!(!line.chars().any(breaks_line));
            let (head, members) = parse(&line);
            prop_assert_eq!(&head[3], &flat(&rule, false));
            let of = |name: &str| members.iter().filter(|(member, _)| member == name).collect::<Vec<_>>();
            for (name, value) in [("cs6", &target), ("msg", &reason)] {
                let found = of(name);
                prop_assert_eq!(found.len(), usize::from(!value.is_empty()), "{} in {}", name, line);
                if let Some((_, read)) = found.first() {
                    prop_assert_eq!(read, &flat(value, true));
                }
            }
        }
    }
}
