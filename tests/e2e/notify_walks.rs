//! Histories of notifications walked to their end, looked at again, and many answers at once.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::notify_drills::{D, Site, schedule};
use crate::support::{on_both, text};

/// Every list of the family is walked like others: each record once, from a time on, on with what is written later.
#[test]
fn histories_are_walked() {
    on_both(|backend| {
        let site = Site::new(backend, &schedule());
        let routes = format!("{D}/routes");
        for (path, member, step) in [(D, "session_id", 2), (routes.as_str(), "route_id", 2)] {
            let tell = |by: &str| site.deliver(&json!({"generated_by": by}));
            (0..3).for_each(|n| drop(tell(&format!("{member}-{n}"))));
            let there = site.server.get(&format!("{path}?limit=500")).ok();
            assert!(there.get("next_cursor").is_none(), "{path}");
            let mut asked = 0;
            let pages = |first: String, between: &mut dyn FnMut()| {
                let (mut seen, mut next) = (Vec::new(), first.clone());
                loop {
                    let page = site.server.get(&next).ok();
                    assert!(page["items"].as_array().unwrap().len() <= 1, "{page}");
                    seen.extend(page["items"].as_array().unwrap().iter().map(|item| keyed(item, member)));
                    match page["next_cursor"].as_str().filter(|_| page["items"] != json!([])) {
                        Some(cursor) => next = format!("{first}&cursor={cursor}"),
                        None => return seen,
                    }
                    between();
                }
            };
            let walked = pages(format!("{path}?limit=1"), &mut || {
                asked += 1;
                if asked < 4 {
                    tell(&format!("{member}-more-{asked}"));
                }
            });
            let all: Vec<String> = there["items"].as_array().unwrap().iter().map(|item| keyed(item, member)).collect();
            assert_eq!(walked, all, "{path}: what is written meanwhile moves nothing");
            // In the order of writing, what comes later comes.
            let mut more = 0;
            let committed = pages(format!("{path}?limit=1&order=committed"), &mut || {
                more += 1;
                if more < 3 {
                    tell(&format!("{member}-late-{more}"));
                }
            });
            let distinct: BTreeSet<&String> = committed.iter().collect();
            assert_eq!(distinct.len(), committed.len(), "{path}: some came twice");
            assert_eq!(committed.len() as u64, site.server.total(path), "{path}");
            let end = site.server.get(&format!("{path}?limit=500&order=committed")).ok();
            let cursor = text(&end, "next_cursor").to_owned();
            let later = || site.server.get(&format!("{path}?order=committed&cursor={cursor}")).ok();
            assert_eq!(later()["items"], json!([]), "{path}");
            tell(&format!("{member}-last"));
            assert_eq!(later()["items"].as_array().unwrap().len(), step, "{path}");
            // From a time on.
            let newest = &site.server.get(&format!("{path}?limit=1")).ok()["items"][0];
            let time = text(newest, "created_at").replace('+', "%2B");
            let since = site.server.total(&format!("{path}?since={time}"));
            assert!((1..=2).contains(&since), "{path} {since}");
            assert_eq!(site.server.total(&format!("{path}?since=2999-01-01T00:00:00Z")), 0, "{path}");
            for wrong in ["cursor=x", "since=yesterday", "order=random", &format!("cursor={cursor}")] {
                site.server.get(&format!("{path}?{wrong}")).refused(&[400, 422]);
            }
            let other = if path == D { routes.as_str() } else { D };
            site.server.get(&format!("{other}?order=committed&cursor={cursor}")).refused(&[400, 422]);
        }
    });
}

/// What tells an item of a list apart: a route comes with each plan.
fn keyed(item: &Value, member: &str) -> String {
    let plan = if member == "route_id" { text(item, "plan_id") } else { "" };
    format!("{plan} {}", text(item, member))
}

/// Who looks at a trend again over the same data leaves no further leaf.
#[test]
fn looking_again_changes_nothing() {
    on_both(|backend| {
        let site = Site::new(backend, &schedule());
        site.deliver(&json!({}));
        let size = || site.server.get("/log").ok()["items"].to_string();
        let look = || site.server.get(&format!("{D}/suppression-trends")).ok();
        let first = look();
        let before = size();
        assert_eq!((look(), size()), (first, before.clone()));
        // By somebody else, and over other data, it is another one.
        site.server.get(&format!("{D}/suppression-trends?generated_by=ann")).ok();
        assert_ne!(size(), before);
    });
}

/// Many answers at once read the schedule's files once: what changes between two of them cannot matter.
#[test]
fn many_answers_are_all_checked() {
    on_both(|backend| {
        let site = Site::new(backend, &schedule());
        site.deliver(&json!({}));
        let route = |id: &str| json!({"schedule_id": id, "provider": "webhook"});
        let answer = |routes: Value| {
            site.server
                .post(&format!("{D}/acknowledgements/bulk"), &json!({"routes": routes, "acknowledged_by": "ann"}))
        };
        let before = site.server.total("/evidence");
        answer(json!([route("quarterly"), route("nothing")])).refused(&[404]);
        assert_eq!(site.server.total("/evidence"), before);
        let many: Vec<Value> = (0..100).map(|_| route("quarterly")).collect();
        assert_eq!(answer(json!(many)).ok()["acknowledgement_count"], 100);
    });
}
