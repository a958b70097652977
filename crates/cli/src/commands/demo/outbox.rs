//! Watching the outbox: each attempt is told when it has ended, and the end of all.

use std::time::Duration;

use baoqiao_gateway::outbox::Desk;
use baoqiao_gateway::outbox::store::{AttemptRecord, AttemptVerdict, Filter, NoticeRecord, NoticeState};
use tokio::time::Instant;

use super::screen::{self, Tone};
use crate::failure::Failure;

/// How often the outbox is looked at, and for how long at most.
const LOOK: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(30);

/// The notices about a subject in their order, each with its attempts.
fn notices(desk: &Desk, subject: &str) -> Result<Vec<(NoticeRecord, Vec<AttemptRecord>)>, Failure> {
    let filter = Filter { subject: Some(subject.to_owned()), ..Filter::default() };
    let mut ids: Vec<u64> = desk.list(&filter, 10)?.items.iter().map(|notice| notice.id).collect();
    ids.sort_unstable();
    let found = ids.into_iter().map(|id| desk.show(id)).collect::<Result<Vec<_>, _>>()?;
    Ok(found.into_iter().flatten().collect())
}

/// Tells of every attempt at the notices about a subject, `names` in their order, until all were delivered.
pub(super) async fn follow(desk: &Desk, subject: &str, names: &[&str]) -> Result<(), Failure> {
    let give_up = Instant::now() + PATIENCE;
    let mut told = 0;
    loop {
        let found = tokio::task::block_in_place(|| notices(desk, subject))?;
        let attempts = found.iter().zip(names).flat_map(|((notice, attempts), name)| {
            let last = attempts.len();
            attempts.iter().zip(1..).map(move |(attempt, number)| (name, attempt, notice, number == last))
        });
        let mut count = 0;
        for (name, attempt, notice, is_last) in attempts.skip(told) {
            tell(name, attempt, notice, is_last);
            count += 1;
        }
        told += count;
        if found.len() == names.len() && found.iter().all(|(notice, _)| notice.state == NoticeState::Delivered) {
            return Ok(());
        }
        let dead = found.iter().find(|(notice, _)| notice.state == NoticeState::Dead);
        if dead.is_some() || give_up < Instant::now() {
            return Err(Failure::new(format_args!("the notices about {subject} were not delivered")));
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn tell(name: &str, attempt: &AttemptRecord, notice: &NoticeRecord, is_last: bool) {
    let what = format!("{name}, attempt {}", attempt.number);
    // Attempts are recorded by the millisecond.
    let took = if attempt.duration_ms == 0 { "<1 ms".to_owned() } else { format!("{} ms", attempt.duration_ms) };
    if attempt.verdict == AttemptVerdict::Delivered {
        return screen::step(&what, Tone::Good, "delivered", "", &took);
    }
    // The row of the table of verdicts that decided, and what was answered.
    let (_, answer) = attempt.detail.split_once(": ").unwrap_or(("", &attempt.detail));
    let (answer, _) = answer.split_once(", request_id=").unwrap_or((answer, ""));
    screen::step(&what, Tone::Bad, "failed", answer, &took);
    if let Some(due_at) = notice.due_at.filter(|_| is_last && !notice.leased) {
        let wait = due_at.duration_since(attempt.started_at);
        screen::more(&format!("again in {}.{} s", wait.as_secs(), wait.as_millis() / 100 % 10));
    }
}
