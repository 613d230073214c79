//! Exports as nobody should make them.

use super::*;

/// What is wrong with an export is said with the place; nothing of it makes the reader hold more than a record.
#[test]
fn hostile_exports() {
    let deep = format!("{{\"computers\":[{}{}]}}", "[".repeat(200), "]".repeat(200));
    let long = format!("[{{\"id\":\"{}\"}}]", "x".repeat(10 << 20));
    let head = format!("{{\"x\":\"{}\",\"computers\":[]}}", "x".repeat(10 << 20));
    let wide: String = (0..400_000).map(|n| format!(",\"c{n}\":{n}")).collect();
    let columns = format!("id{}\n1", ",x".repeat(5000));
    let refused: [(&str, &str, &str); 24] = [
        ("nested deeply", &deep, "record 1, at byte 14: nested more than 127 levels deep"),
        ("a text of ten megabytes", &long, "record 1, at byte 7: more than 4194304 bytes in one record"),
        ("a head of ten megabytes", &head, "at byte 5: more than 4194304 bytes in one record"),
        (
            "very many members",
            &format!("[{{\"id\":1{wide}}}]"),
            "record 1, at byte 4194314: more than 4194304 bytes in one record",
        ),
        ("very many columns", &columns, "at byte 0: more than 4096 columns"),
        (
            "a quote that is never closed",
            "id,name\n1,\"abc\n2,d\n",
            "record 1, at byte 8: the export ends between quotes",
        ),
        ("text behind a quote", "id,name\n1,\"a\"b\n", "record 1, at byte 8: text behind a closing quote"),
        ("a line that is too long", "id,name\n1,a\n2,b,c\n", "record 2, at byte 12: 3 values for 2 columns"),
        (
            "one name twice",
            r#"[{"id":1},{"id":1,"id":2}]"#,
            "record 2, at byte 10: an object with two members of the same name",
        ),
        (
            "one list twice",
            r#"{"computers":[],"computers":[]}"#,
            "at byte 28: an object with two members of the same name",
        ),
        (
            "one name twice, once a list",
            r#"{"computers":[{"id":1}],"computers":5}"#,
            "at byte 0: an object with two members of the same name",
        ),
        (
            "one name twice in another spelling",
            r#"{"computers":[],"c\u006fmputers":[]}"#,
            "at byte 33: an object with two members of the same name",
        ),
        ("a bare control character", "[{\"id\":\"a\nb\"}]", "record 1, at byte 1: not JSON"),
        ("a lone surrogate", r#"[{"id":"\ud800"}]"#, "record 1, at byte 1: not JSON"),
        ("a number without end", "[{\"id\":1e999}]", "record 1, at byte 1: a number that is too large"),
        ("brackets that do not match", r#"{"computers":[{"id":[1}]}"#, "record 1, at byte 14: not JSON"),
        ("no comma", r#"[{"id":1} {"id":2}]"#, "record 2, at byte 10: not JSON"),
        ("a comma too many", r#"[{"id":1},]"#, "record 2, at byte 10: not JSON"),
        ("no colon", r#"{"computers" []}"#, "at byte 13: not JSON"),
        ("something behind the end", "[{\"id\":1}] x", "at byte 11: not JSON"),
        ("a file that begins like JSON", "{id,name\n1,2", "at byte 1: not JSON"),
        ("cut off in a record", r#"{"computers":[{"id":1},{"i"#, "record 2, at byte 26: the export ends in the middle"),
        ("cut off in a list", r#"{"computers":[{"id":1}"#, "record 2, at byte 22: the export ends in the middle"),
        ("cut off in a page", r#"{"computers":[{"id":1}],"a":"#, "at byte 28: the export ends in the middle"),
    ];
    for (name, export, wanted) in refused {
        for piece in [1 << 16, 1] {
            let refusal = stream(&JAMF, export.as_bytes(), &[], piece);
            let Err(Refusal::Unreadable(fault)) = refusal else { panic!("{name}: {refusal:?}") };
            assert_eq!(fault.to_string(), wanted, "{name}");
            if export.len() > 1 << 20 {
                break;
            }
        }
    }
    for bytes in [&b"[{\"id\":\"\xff\"}]"[..], b"id,name\n1,\xff\n", b"\xff\xfe{\x00\x00\xdc", b"[\xc3]"] {
        assert!(matches!(stream(&JAMF, bytes, &[], 3), Err(Refusal::Unreadable(_))), "mixed encodings");
    }
    for nothing in ["", " \n", "\u{feff}", "7", "\"text\"", "people,things\n1,2", "null"] {
        assert_eq!(read_text("jamf", nothing), Err(Refusal::NoRecords), "{nothing:?}");
    }
}

#[test]
fn what_is_too_long_is_no_fact() {
    let long = "x".repeat(FACT_BYTES + 1);
    let digits = "9".repeat(FACT_BYTES + 1);
    let record = format!("[{{\"id\":\"{long}\",\"udid\":\"u\",\"version\":{digits},\"target\":\"{long}\"}}]");
    let expected = json!({"endpoint_id": "u", "deployment_target": UNKNOWN_TARGET, "provider": "jamf"});
    assert_eq!(read_text("jamf", &record).unwrap().endpoints, [expected]);
    let map = Settings::read(&json!({"target_map": {"a": long}}).to_string());
    assert!(matches!(map, Err(Refusal::Settings(_))));
}
