//! What holds whatever happens.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::follow_ups::recur;
use super::*;

proptest! {
    /// The order in which facts are read does not matter, and an answer never leaves a clock that started later behind it.
    #[test]
    fn folds_do_not_depend_on_the_order_of_records(
        notices in prop::collection::btree_set(0_i64..100, 1..6),
        answers in prop::collection::btree_map(0_i64..100, 0_usize..4, 0..6),
        seed in any::<u64>(),
    ) {
        let words = ["acknowledged", "resolved", "dismissed", "escalated"];
        let mut facts = Facts {
            notices: notices.iter().map(|minute| notice(*minute)).collect(),
            answers: answers.iter().map(|(minute, word)| answered(*minute, words[*word])).collect(),
            ..Facts::default()
        };
        let expected = routes(&facts);
        let turn = usize::try_from(seed % 5).unwrap();
        let (left, right) = (turn % facts.notices.len().max(1), turn % facts.answers.len().max(1));
        facts.notices.rotate_left(left);
        facts.answers.rotate_left(right);
        facts.sort();
        prop_assert_eq!(&routes(&facts), &expected);
        let state = &expected[0];
        prop_assert!(state.resolution_since <= state.acknowledgement_since && state.acknowledgement_since <= state.noticed_at);
    }

    /// More deliveries never let a route through that fewer kept back for being told too often.
    #[test]
    fn gates_are_monotone(told in prop::collection::vec(-119_i64..0, 0..8), more in -119_i64..0) {
        let key = FAMILY.route_key("r", "slack", "ann");
        let facts = |minutes: &[i64]| Facts {
            deliveries: minutes.iter().enumerate().map(|(index, minute)| Delivery {
                route_keys: vec![key.clone()], id: format!("d{index}"),
                ..delivery(FAMILY.sources.recurrence, "erp", *minute, true)
            }).collect(),
            ..Facts::default()
        };
        let rank = |decision: &Value| ["deliver", "wait", "suppress"].iter().position(|action| decision["action"] == *action);
        let before = recur(&facts(&told), json!({}));
        let after = recur(&facts(&[told, vec![more]].concat()), json!({}));
        prop_assert!(rank(&after) >= rank(&before));
    }
}
