//! Approvals that are decided in Slack and Teams: what the service signs, by whom it says, about what was shown, and nothing
//! else.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cavra_model::Timestamp;
use ring::hmac;
use serde_json::{Value, json};

use super::approvals::{decision, string};
use super::reload::reload;
use super::secrets::everywhere;
use crate::evidence_log::leaves;
use crate::support::{Backend, Home, Issuer, Receiver, Response, Server, on_both};

/// What Slack signs with, and the token of the outgoing webhook.
const SLACK: &str = "hush-8f742231b10e8888abcd99";
const TEAMS: &str = "aHVzaC1vZi10aGUtb3V0Z29pbmctd2ViaG9vay0zMi0=";

const MEMBERS: &str = "
chat_members:
- {service: slack, team: T1, user: UANN, subject: ann, name: ann@x.example, groups: [IAM]}
- {service: slack, team: T1, user: UBOB, subject: bob, name: bob@x.example, groups: [IAM]}
- {service: slack, team: T1, user: UEVE, subject: eve, name: eve@x.example, groups: [Others]}
- {service: teams, team: tenant-1, user: user-ann, subject: ann, groups: [IAM]}
";

struct Site {
    server: Server,
    issuer: Issuer,
    chat: Receiver,
}

fn site(backend: Backend) -> Site {
    let (home, issuer, chat) = (Home::new(), Issuer::new(), Receiver::answering("200 OK"));
    home.write("oidc.json", issuer.config(&json!({})).to_string());
    home.write("members.yaml", MEMBERS);
    home.write(
        "routing.json",
        json!([{"repository": "two", "approver_group": "IAM", "quorum": 2}, {"approver_group": "IAM"}]).to_string(),
    );
    let providers = json!({
        "slack": {"url": chat.at("/services/x"), "callback_secret_env": "SLACK_SECRET", "approval_page": "https://c.example/{approval_id}"},
        "teams": {"url": chat.at("/teams"), "callback_secret_env": "TEAMS_TOKEN"},
    });
    home.write("providers.json", providers.to_string());
    let server = start(&home, backend);
    Site { server, issuer, chat }
}

fn start(home: &Home, backend: Backend) -> Server {
    super::approvals::serve(
        home,
        backend,
        &[
            ("CAVRA_APPROVAL_OIDC_CONFIG", &home.at("oidc.json")),
            ("CAVRA_APPROVAL_CHAT_FILE", &home.at("members.yaml")),
            ("CAVRA_APPROVAL_ROUTING_FILE", &home.at("routing.json")),
            ("CAVRA_APPROVAL_PROVIDER_CONFIG", &home.at("providers.json")),
            ("SLACK_SECRET", SLACK),
            ("TEAMS_TOKEN", TEAMS),
            ("CAVRA_LOG", "debug"),
        ],
    )
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

fn signature(secret: &str, time: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("v0:{time}:{body}").as_bytes());
    let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v0={digits}")
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

impl Site {
    /// An approval that waits, asked for by somebody; its id and the buttons that Slack was sent: approve, deny.
    fn asked(&self, by: Option<&str>, repository: &str) -> (String, [String; 2]) {
        let mut about = decision("dec_1");
        about["repository"] = json!(repository);
        let body = json!({ "decision": about });
        let asked = match by {
            Some(name) => self.server.post_as(&self.issuer.token(name, &[]), "/approvals", &body),
            None => self.server.post("/approvals", &body),
        };
        let id = string(&asked.ok()["approval_id"]);
        (id.clone(), self.buttons(&id))
    }

    fn deliver(&self, id: &str, provider: &str) -> Value {
        let before = self.chat.got().len();
        let token = self.issuer.token("operator", &[]);
        let told =
            self.server.post_as(&token, &format!("/approvals/{id}/deliver"), &json!({ "provider": provider })).ok();
        assert_eq!(told["success"], true, "{told}");
        self.chat.got()[before].json()
    }

    fn buttons(&self, id: &str) -> [String; 2] {
        let message = self.deliver(id, "slack");
        let buttons = message["blocks"].as_array().unwrap().last().unwrap()["elements"].clone();
        assert_eq!(
            (&buttons[2]["url"], buttons.as_array().unwrap().len()),
            (&json!(format!("https://c.example/{id}")), 3)
        );
        [string(&buttons[0]["value"]), string(&buttons[1]["value"])]
    }

    /// The form that Slack sends when a member presses a button.
    fn form(&self, team: &str, user: &str, value: &str) -> String {
        let payload = json!({
            "type": "block_actions", "team": {"id": team}, "user": {"id": user, "team_id": team},
            "response_url": self.chat.at("/actions/T1/1/x"),
            "actions": [{"type": "button", "action_id": "cavra_approve", "value": value}],
        });
        format!("payload={}", percent_encoded(&payload.to_string()))
    }

    fn sent(&self, body: &str, time: &str, signature: &str) -> Response {
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-slack-request-timestamp", time),
            ("x-slack-signature", signature),
        ];
        self.server.request_with("POST", "/approval-callbacks/slack", &headers, body.as_bytes())
    }

    /// Presses a button: what the press is answered with, and what Slack is sent in reply.
    fn press(&self, team: &str, user: &str, value: &str) -> (String, Value) {
        let before = self.chat.got().len();
        let (body, time) = (self.form(team, user, value), now().to_string());
        let said = self.sent(&body, &time, &signature(SLACK, &time, &body)).ok();
        assert_eq!((&said["response_type"], &said["replace_original"]), (&json!("ephemeral"), &json!(false)));
        let reply = &self.chat.wait_for(before + 1)[before];
        assert!(reply.line.ends_with("/actions/T1/1/x"), "{reply:?}");
        (string(&said["text"]), reply.json())
    }

    fn state(&self, id: &str) -> String {
        string(&self.server.get(&format!("/approvals/{id}")).ok()["state"])
    }
}

#[test]
fn a_button_decides_as_the_person_who_pressed_it() {
    on_both(|backend| {
        let site = site(backend);
        for (button, state, event) in [(0, "approved", "approval_approved"), (1, "denied", "approval_denied")] {
            let (id, values) = site.asked(Some("bob"), "pay");
            let (said, reply) = site.press("T1", "UANN", &values[button]);
            assert_eq!(said, format!("{id} is {state}."));
            assert_eq!(reply["replace_original"], true);
            assert!(reply.to_string().contains(state) && !reply.to_string().contains("cavra_approve"), "{reply}");
            let record = site.server.get(&format!("/approvals/{id}")).ok();
            for (member, value) in [
                ("state", json!(state)),
                ("decided_by", json!("ann@x.example")),
                ("decided_via", json!("slack")),
                ("decision_reason", json!(format!("{state} in slack: team T1, user UANN"))),
            ] {
                assert_eq!(record[member], value, "{member}");
            }
            let person = &record["decided_by_identity"];
            assert_eq!(
                (&person["issuer"], &person["subject"], &person["via"]),
                (&json!("https://issuer.example"), &json!("ann"), &json!("slack"))
            );
            assert_eq!(leaves(&site.server, "approvals").last().unwrap()["event"], event);
            // What is decided stays as it is.
            let (again, _) = site.press("T1", "UBOB", &values[1 - button]);
            assert!(again.contains(&format!("the approval is {state}")), "{again}");
            assert_eq!(site.state(&id), state);
        }
    });
}

/// Who holds no secret decides nothing, whatever they say about whom.
#[test]
fn what_slack_did_not_sign_now_and_for_the_first_time_counts_for_nothing() {
    let site = site(Backend::Json);
    let (id, [approve, deny]) = site.asked(None, "pay");
    let (body, other) = (site.form("T1", "UANN", &approve), site.form("T1", "UANN", &deny));
    let (time, old, later) = (now().to_string(), (now() - 301).to_string(), (now() + 400).to_string());
    let good = signature(SLACK, &time, &body);
    for (what, body, time, signature) in [
        ("another secret", &body, &time, signature("another-secret-of-somebody", &time, &body)),
        ("nothing", &body, &time, String::new()),
        ("another scheme", &body, &time, good.replace("v0=", "v1=")),
        ("a beginning", &body, &time, good[..20].to_owned()),
        ("another body", &other, &time, good.clone()),
        ("a longer body", &format!("{body}&x=1"), &time, good.clone()),
        ("another moment", &body, &(now() - 1).to_string(), good.clone()),
        ("no moment", &body, &String::new(), good.clone()),
        ("long ago", &body, &old, signature(SLACK, &old, &body)),
        ("not yet", &body, &later, signature(SLACK, &later, &body)),
    ] {
        let answer = site.sent(body, time, &signature);
        assert_eq!(answer.status, 401, "{what}: {}", answer.text());
        assert_eq!(site.state(&id), "pending", "{what}");
    }
    // A person's token is no signature, nor are two of them.
    let token = format!("Bearer {}", site.issuer.token("ann", &["IAM"]));
    site.server
        .request_with("POST", "/approval-callbacks/slack", &[("authorization", &token)], body.as_bytes())
        .refused(&[401]);
    let twice =
        [("x-slack-request-timestamp", time.as_str()), ("x-slack-signature", &good), ("x-slack-signature", &good)];
    site.server.request_with("POST", "/approval-callbacks/slack", &twice, body.as_bytes()).refused(&[401]);
    // What is signed and is no press.
    for body in ["", "payload=%7B%7D", "payload=", "{}"] {
        site.sent(body, &time, &signature(SLACK, &time, body)).refused(&[400]);
    }
    let huge = format!("payload={}", "x".repeat(300_000));
    site.sent(&huge, &time, &signature(SLACK, &time, &huge)).refused(&[413]);
    assert_eq!(site.state(&id), "pending");
    site.sent(&body, &time, &good).ok();
    assert_eq!(site.state(&id), "approved");
    site.sent(&body, &time, &good).refused(&[401]);
    reload(&site.server, "completed");
    site.sent(&body, &time, &good).refused(&[401]);

    let home = site.server.home.clone();
    let log = site.server.log();
    site.server.terminate();
    let kept = String::from_utf8_lossy(&everywhere(&home)).into_owned() + &log;
    for secret in [SLACK, TEAMS, good.as_str()] {
        assert!(!kept.contains(secret), "a secret or a signature is kept");
    }
}

#[test]
fn every_rule_of_approvals_holds_in_a_chat() {
    let site = site(Backend::Json);
    let refused = |id: &str, team: &str, user: &str, value: &str, why: &str| {
        let (said, reply) = site.press(team, user, value);
        assert!(said.contains(why), "{why}: {said}");
        assert_eq!((&reply["response_type"], &reply["replace_original"]), (&json!("ephemeral"), &json!(false)));
        assert_eq!(reply["text"], said);
        assert_eq!(site.state(id), "pending", "{why}");
    };
    let (id, [approve, deny]) = site.asked(Some("bob"), "pay");
    refused(&id, "T1", "UNOBODY", &approve, "nobody in this server's members file");
    refused(&id, "T2", "UANN", &approve, "nobody in this server's members file");
    refused(&id, "T1", "UEVE", &deny, "members of another group");
    refused(&id, "T1", "UBOB", &approve, "nobody approves their own request");
    let elsewhere = approve.replace(&id, "apr_000000000000");
    refused(&id, "T1", "UANN", &elsewhere, "Nothing was decided");
    // A button of another approval, or of this one as it was.
    let (other, [of_other, _]) = site.asked(Some("bob"), "other");
    refused(&id, "T1", "UANN", &of_other.replace(&other, &id), "not what was shown");
    refused(&id, "T1", "UANN", &approve[..approve.len() - 60], "not what was shown");

    let Site { server, issuer, chat } = site;
    let home = server.home.clone();
    server.terminate();
    let mut stored = home.json("data/approvals.json");
    let changed = stored["items"].as_array_mut().unwrap().iter_mut().find(|item| item["approval_id"] == id.as_str());
    changed.unwrap()["decision"]["target"] = json!("iam/everything.tf");
    home.write("data/approvals.json", stored.to_string());
    let site = Site { server: start(&home, Backend::Json), issuer, chat };
    let (said, _) = site.press("T1", "UANN", &approve);
    assert!(said.contains("not what was shown"), "{said}");
    assert_eq!(site.state(&id), "pending");
    let [approve, _] = site.buttons(&id);
    site.press("T1", "UANN", &approve);
    assert_eq!(site.state(&id), "approved", "as it is shown now");
}

/// Of a quorum, everybody counts once, wherever they say it.
#[test]
fn one_person_counts_once_in_a_chat_and_elsewhere() {
    let site = site(Backend::Json);
    let (id, [approve, _]) = site.asked(Some("carol"), "two");
    let over_http = site.server.post_as(
        &site.issuer.token("ann", &["IAM"]),
        &format!("/approvals/{id}/approve"),
        &json!({"reason": "fine"}),
    );
    assert_eq!(over_http.ok()["state"], "pending");
    assert!(site.press("T1", "UANN", &approve).0.contains("approved already"));
    // What others have said meanwhile changes nothing about what was shown.
    assert_eq!(site.press("T1", "UBOB", &approve).0, format!("{id} is approved."));
    assert_eq!(site.state(&id), "approved");

    let (id, [approve, _]) = site.asked(Some("carol"), "two");
    let (said, reply) = site.press("T1", "UBOB", &approve);
    assert_eq!(said, format!("Your approval of {id} counts: 1 of 2."));
    assert!(reply.to_string().contains(&approve), "others can still decide: {reply}");
    assert_eq!(site.state(&id), "pending");
}

#[test]
fn a_command_in_teams_decides() {
    let site = site(Backend::Sqlite);
    let (id, _) = site.asked(Some("bob"), "pay");
    let card = site.deliver(&id, "teams");
    let lines = card["attachments"][0]["content"]["body"].as_array().unwrap().clone();
    let line = lines.iter().filter_map(|part| part["text"].as_str()).find(|text| text.starts_with("approve ")).unwrap();
    let message = |user: &str, text: &str, time: i64| {
        let moment = Timestamp::from_micros(time * 1_000_000);
        json!({
            "type": "message", "timestamp": moment, "text": format!("<at>cavra</at>&nbsp;{text}"),
            "from": {"id": "29:x", "aadObjectId": user}, "channelData": {"tenant": {"id": "tenant-1"}},
        })
        .to_string()
    };
    let send = |body: &str, key: &[u8]| {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), body.as_bytes());
        let signature = format!("HMAC {}", STANDARD.encode(tag.as_ref()));
        site.server.request_with("POST", "/approval-callbacks/teams", &[("authorization", &signature)], body.as_bytes())
    };
    let key = STANDARD.decode(TEAMS).unwrap();
    // Put together here: what looks like a token in a source file stops many a scanner.
    let token = ["ghp_", "q7Rw2mXk9TzB4vLs8NfYc3HdJp6GeU000001"].concat();
    let good = message("user-ann", &format!("{line} looks fine {token}"), now());
    send(&good, b"somebody else's key of 32 bytes!").refused(&[401]);
    send(&message("user-ann", line, now() - 400), &key).refused(&[401]);
    let said = send(&message("user-eve", line, now()), &key).ok();
    assert!(string(&said["text"]).contains("members file"), "{said}");
    let said = send(&message("user-ann", "hello", now()), &key).ok();
    assert!(said["type"] == "message" && string(&said["text"]).contains("Nothing to decide"), "{said}");
    assert_eq!(site.state(&id), "pending");
    assert_eq!(send(&good, &key).ok()["text"], format!("{id} is approved."));
    let record = site.server.get(&format!("/approvals/{id}")).ok();
    assert_eq!(record["decided_via"], "teams");
    let reason = string(&record["decision_reason"]);
    assert!(reason.starts_with("looks fine ") && reason.ends_with("(approved in teams: team tenant-1, user user-ann)"));
    assert!(!record.to_string().contains(&token) && !site.server.log().contains(&token), "{record}");
    send(&good, &key).refused(&[401]);
}

/// Without a secret nobody is listened to, and a file that could be misread stops the server.
#[test]
fn what_is_not_configured_is_closed() {
    let home = Home::new();
    home.write("providers.json", json!({"slack": {"url": "https://hooks.slack.com/services/x"}}).to_string());
    for settings in [&[][..], &[("CAVRA_APPROVAL_PROVIDER_CONFIG", "providers.json")]] {
        let server = home.serve(settings);
        for service in ["slack", "teams"] {
            let answer = server.request("POST", &format!("/approval-callbacks/{service}"), b"payload=%7B%7D");
            let refused = answer.refused(&[401]);
            assert!(refused.to_string().contains("not configured"), "{refused}");
        }
        server.terminate();
    }
    home.write("members.yaml", "chat_members:\n- {service: slack, team: T1, user: U1, subjct: ann, groups: [IAM]}\n");
    let refused = home.cavra(&["serve", "--port", "0"]).env("CAVRA_APPROVAL_CHAT_FILE", "members.yaml").run().fails();
    assert!(refused.stderr.contains("did you mean `subject`?"), "{refused:?}");
}
