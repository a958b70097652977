//! What an answer is worth: every one is read, its HTTP status proves nothing.

use baoqiao_domain::refusal::RefusalCode;

use super::deck::{Agreement, Deck, Draw, Kind};
use crate::qimen::{Answer, Verdict};

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A new call became a policy.
    Accepted,
    /// A repeat was answered with the first policy number.
    Replayed,
    /// A recovery was recorded.
    RecoveryRecorded,
    /// A repeat with other content was refused by the name that such refusals have.
    ConflictRefused,
    /// Refused, with the reason.
    Refused(String),
    /// Accepted, and wrongly: another policy number than the first, none at all, or other content taken.
    Mismatched(String),
    /// No answer that could be read.
    Failed(String),
}

/// Judges an answer and remembers its policy number.
pub(super) fn judge(draw: &Draw, answer: &Answer, deck: &mut Deck) -> Outcome {
    let fields = answer.fields();
    let policy_no = || fields.as_ref()?.get("context")?.get("policyNo")?.as_str();
    match (answer.verdict_of(fields.as_ref()), draw.kind) {
        (Verdict::NotAnAnswer { reason }, _) => Outcome::Failed(reason),
        (Verdict::Refused { code, .. }, Kind::Conflict) if code == RefusalCode::IdempotencyConflict.as_str() => {
            Outcome::ConflictRefused
        }
        (Verdict::Refused { code, message }, _) => Outcome::Refused(format!("{code}: {message}")),
        (Verdict::Accepted, Kind::Conflict) => {
            Outcome::Mismatched("a repeat with other content was accepted".to_owned())
        }
        (Verdict::Accepted, Kind::Recovery) => Outcome::RecoveryRecorded,
        (Verdict::Accepted, kind) => match policy_no().filter(|number| !number.is_empty()) {
            None => Outcome::Mismatched("accepted without a policyNo".to_owned()),
            Some(number) => match (deck.compare(draw, number), kind) {
                (Agreement::Differs, _) => Outcome::Mismatched(format!("a repeat got another policyNo: {number}")),
                (Agreement::Agrees, Kind::New) => Outcome::Accepted,
                (Agreement::Agrees, _) => Outcome::Replayed,
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::CONTENT_TYPE;
    use http::{HeaderMap, StatusCode};
    use std::time::Duration;

    fn answer(body: &str) -> Answer {
        Answer {
            status: StatusCode::OK,
            headers: HeaderMap::from_iter([(CONTENT_TYPE, "application/json".parse().unwrap())]),
            body: body.to_owned().into(),
            elapsed: Duration::ZERO,
        }
    }

    fn accepted(policy_no: &str) -> Answer {
        answer(&format!(
            r#"{{"errorCode":"SUCCESS","context":{{"policyNo":"{policy_no}"}},"errorMessage":"OK","success":"true"}}"#
        ))
    }

    fn refused(code: &str) -> Answer {
        answer(&format!(r#"{{"errorCode":"{code}","errorMessage":"m","context":"","success":"false"}}"#))
    }

    #[test]
    fn a_repeat_must_get_the_first_number() {
        let mut deck = Deck::new(1, 1.0, 0.0);
        let (new, repeat) = (deck.draw(), deck.draw());
        assert_eq!(judge(&new, &accepted("A"), &mut deck), Outcome::Accepted);
        assert_eq!(judge(&repeat, &accepted("A"), &mut deck), Outcome::Replayed);
        let other = judge(&repeat, &accepted("B"), &mut deck);
        assert!(matches!(other, Outcome::Mismatched(_)), "{other:?}");
        let none = judge(&repeat, &accepted(""), &mut deck);
        assert!(matches!(none, Outcome::Mismatched(_)), "{none:?}");
    }

    #[test]
    fn a_conflict_must_be_refused_by_its_name() {
        let mut deck = Deck::new(1, 0.0, 1.0);
        let new = deck.draw();
        judge(&new, &accepted("A"), &mut deck);
        let conflict = deck.draw();
        assert_eq!(conflict.kind, Kind::Conflict);
        let named = judge(&conflict, &refused("IDEMPOTENCY_CONFLICT"), &mut deck);
        assert_eq!(named, Outcome::ConflictRefused);
        let busy = judge(&conflict, &refused("SYSTEM_BUSY"), &mut deck);
        assert_eq!(busy, Outcome::Refused("SYSTEM_BUSY: m".to_owned()));
        let taken = judge(&conflict, &accepted("A"), &mut deck);
        assert!(matches!(taken, Outcome::Mismatched(_)), "{taken:?}");
        let new_refused = judge(&new, &refused("IDEMPOTENCY_CONFLICT"), &mut deck);
        assert!(matches!(new_refused, Outcome::Refused(_)), "{new_refused:?}");
    }

    #[test]
    fn what_cannot_be_read_has_failed() {
        let mut deck = Deck::new(1, 0.0, 0.0);
        let draw = deck.draw();
        let error_page = Answer { status: StatusCode::BAD_GATEWAY, ..accepted("A") };
        for answer in [answer("<html>"), answer("{}"), error_page] {
            let outcome = judge(&draw, &answer, &mut deck);
            assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
        }
    }
}
