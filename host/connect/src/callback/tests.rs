//! Callbacks as services send them, and as nobody should believe them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

const SECRET_OF_SLACK: &str = "8f742231b10e8888abcd99yyyzzz85a5";

fn slack_keys(secrets: &str) -> Result<Vec<Key>, SettingError> {
    let entry = json!({ "callback_secret": secrets });
    keys(ChatService::Slack, &Settings::of(Provider::Slack, &entry).unwrap(), &|_| None)
}

/// The example of Slack's documentation.
#[test]
fn a_signature_is_the_one_that_slack_documents() {
    let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V\
                &channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=\
                &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
                &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    let counts = |secrets: &str, time: &str, signature: &str, body: &str| {
        let header = |name: &str| match name {
            "x-slack-request-timestamp" => Some(time.to_owned()),
            "x-slack-signature" => Some(signature.to_owned()),
            _ => None,
        };
        let arrived = Arrived { header: &header, body: body.as_bytes() };
        slack::signed(&slack_keys(secrets).unwrap(), &arrived).map(|signed| signed.seconds)
    };
    let time = "1531420618";
    assert_eq!(counts(SECRET_OF_SLACK, time, signature, body), Some(Some(1_531_420_618)));
    let both = format!("0123456789abcdef {SECRET_OF_SLACK}");
    assert!(counts(&both, time, signature, body).is_some(), "a secret that is being replaced");
    for (secrets, time, signature, body) in [
        ("0123456789abcdef", time, signature, body),
        (SECRET_OF_SLACK, "1531420619", signature, body),
        (SECRET_OF_SLACK, "soon", signature, body),
        (SECRET_OF_SLACK, time, &signature.replace("v0=", "v1="), body),
        (SECRET_OF_SLACK, time, signature.get(..40).unwrap(), body),
        (SECRET_OF_SLACK, time, "v0=", body),
        (SECRET_OF_SLACK, time, "v0=zz", body),
        (SECRET_OF_SLACK, time, "", body),
        (SECRET_OF_SLACK, time, signature, &body.replace("roadrunner", "coyote")),
        (SECRET_OF_SLACK, time, signature, ""),
    ] {
        assert_eq!(counts(secrets, time, signature, body), None, "{time} {signature}");
    }
}

#[test]
fn a_signature_of_teams_is_over_the_body() {
    let token = STANDARD.encode([7; 32]);
    let entry = json!({ "callback_secret": token });
    let keys = keys(ChatService::Teams, &Settings::of(Provider::Teams, &entry).unwrap(), &|_| None).unwrap();
    let body = b"{\"type\":\"message\"}";
    let tag = keys[0].mac(&[body]).unwrap().finalize().into_bytes();
    let counts = |value: &str, body: &[u8]| {
        let header = |name: &str| (name == "authorization").then(|| value.to_owned());
        teams::signed(&keys, &Arrived { header: &header, body }).is_some()
    };
    let signature = format!("HMAC {}", STANDARD.encode(tag));
    assert!(counts(&signature, body) && counts(&signature.replace("HMAC", "hmac"), body));
    for (value, body) in [
        (signature.replace("HMAC", "Bearer"), &body[..]),
        (signature.clone(), &b"{\"type\":\"messages\"}"[..]),
        (signature.get(..20).unwrap().to_owned(), body),
        ("HMAC".to_owned(), body),
        ("HMAC ".to_owned(), body),
        (String::new(), body),
    ] {
        assert!(!counts(&value, body), "{value}");
    }
}

#[test]
fn secrets_are_long_enough() {
    for wrong in ["", " ", "short", "0123456789abcdef short"] {
        assert!(slack_keys(wrong).is_err(), "{wrong}");
    }
}

fn form(payload: &Value) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish()
}

fn press() -> Value {
    json!({
        "type": "block_actions",
        "team": {"id": "T1", "domain": "acme"},
        "user": {"id": "U1", "username": "ann", "team_id": "T1"},
        "response_url": "https://hooks.slack.com/actions/T1/1/x",
        "actions": [{"type": "button", "action_id": "cavra_approve", "value": "approve apr_1 0a"}],
    })
}

#[test]
fn a_press_says_who_and_what() {
    let read = |payload: &Value| slack::read(form(payload).as_bytes()).map(|said| said.press);
    let said = read(&press()).unwrap();
    assert_eq!((said.team.as_str(), said.user.as_str()), ("T1", "U1"));
    assert!(said.reply_to.is_some() && !format!("{said:?}").contains("hooks.slack.com"), "{said:?}");
    assert_eq!(said.choice.unwrap().approval_id, "apr_1");
    // Whoever belongs to another team is none of this one's.
    let mut shared = press();
    shared["user"]["team_id"] = json!("T2");
    assert_eq!(read(&shared).unwrap().team, "T2");
    shared["user"].as_object_mut().unwrap().remove("team_id");
    assert_eq!(read(&shared).unwrap().team, "T1");
    let mut link = press();
    link["actions"][0].as_object_mut().unwrap().remove("value");
    assert_eq!(read(&link).unwrap().choice, None);
    for (pointer, value) in [
        ("/type", json!("view_submission")),
        ("/user/id", json!("")),
        ("/user/id", json!("U 1")),
        ("/user", json!(null)),
        ("/actions", json!([])),
        ("/actions", json!([{"value": "approve apr_1 0a"}, {"value": "deny apr_2 0a"}])),
        ("/actions", json!({})),
    ] {
        let mut wrong = press();
        *wrong.pointer_mut(pointer).unwrap() = value;
        assert!(matches!(read(&wrong), Err(CallbackError::Unreadable(_))), "{pointer}");
    }
    for body in ["", "payload=", "payload=[]", "payload=%7B", "x=1", "{}"] {
        assert!(matches!(slack::read(body.as_bytes()), Err(CallbackError::Unreadable(_))), "{body}");
    }
}
