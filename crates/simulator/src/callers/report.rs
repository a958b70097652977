//! What came of a scenario.

use std::fmt;

/// The most troubles that a step quotes.
const QUOTED: usize = 5;

/// One step's calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepReport {
    /// The step's name.
    pub name: String,
    /// Calls answered with yes.
    pub accepted: u64,
    /// Calls answered with no.
    pub refused: u64,
    /// Calls without an answer that can be understood.
    pub unanswered: u64,
    /// Calls that did not end as the step expects.
    pub unexpected: u64,
    /// Calls answered with yes, but not alike the first yes to the same message.
    pub mismatched: u64,
    /// The first of what went wrong.
    pub troubles: Vec<String>,
}

impl StepReport {
    pub(super) fn trouble(&mut self, text: String) {
        if self.troubles.len() < QUOTED && !self.troubles.contains(&text) {
            self.troubles.push(text);
        }
    }
}

/// All steps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// In their order.
    pub steps: Vec<StepReport>,
}

impl Report {
    /// Whether every call ended as it should.
    pub fn is_clean(&self) -> bool {
        self.steps.iter().all(|step| step.unexpected == 0 && step.mismatched == 0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "accepted  refused  unanswered  unexpected  mismatched")?;
        for step in &self.steps {
            writeln!(
                f,
                "{:>8}  {:>7}  {:>10}  {:>10}  {:>10}  {}",
                step.accepted, step.refused, step.unanswered, step.unexpected, step.mismatched, step.name
            )?;
            for trouble in &step.troubles {
                writeln!(f, "  ! {trouble}")?;
            }
        }
        Ok(())
    }
}
