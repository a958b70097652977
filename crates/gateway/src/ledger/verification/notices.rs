//! Notices: that each opens, has its cause, and will have its turn.

use baoqiao_domain::notice::{Notice, NoticeContent};

use super::answers::open;
use super::evidence::NoticeEvidence;
use super::{Check, Rule, Table};
use crate::ledger::store::StoreError;
use crate::vault::Purpose;

impl Check<'_> {
    pub(super) fn notices(&mut self) -> Result<(), StoreError> {
        self.evidence.notices(&mut |row| {
            self.count(Table::Notices);
            self.notice(&row)
        })?;
        for message_id in std::mem::take(&mut self.seen.noticed) {
            let detail = "no notice tells the platform of the stage";
            self.found(Rule::AnswerWithoutNotice, format!("message {message_id}"), detail);
        }
        for subject in self.evidence.stuck_subjects()? {
            self.found(Rule::QueueStuck, subject, "its first notice waits for none, and is not to be sent");
        }
        Ok(())
    }

    fn notice(&mut self, row: &NoticeEvidence) -> Result<(), StoreError> {
        let name = || format!("notice {} of {}", row.id, row.subject);
        match open::<NoticeContent>(self.vault, Purpose::Notice, &row.content) {
            Ok(content) if content.kind().as_str() != row.kind => {
                let detail = format!("it is filed as {}, and says {}", row.kind, content.kind());
                self.found(Rule::NoticeUnreadable, name(), detail);
            }
            Ok(content) => {
                let is_of_stage = matches!(content, NoticeContent::AuctionResult(_));
                let subject = subject(content);
                if subject.as_ref().is_some_and(|subject| *subject != row.subject) {
                    self.found(Rule::NoticeUnreadable, name(), "it is queued among another subject's");
                }
                if let Some(cause) = row.cause_message_id.filter(|_| is_of_stage) {
                    self.seen.noticed.remove(cause);
                }
            }
            Err(reason) => self.found(Rule::NoticeUnreadable, name(), reason),
        }
        if let Some(cause) = row.cause_message_id
            && !self.is_answered(cause)?
        {
            let detail = format!("it was caused by message {cause}, which has no answer");
            self.found(Rule::NoticeWithoutCause, name(), detail);
        }
        Ok(())
    }
}

/// The subject that its content alone gives; of a webhook's, nothing but the endpoint's id does.
fn subject(content: NoticeContent) -> Option<String> {
    match content {
        NoticeContent::SurrenderSync(content) => Some(Notice::surrender("", content).subject),
        NoticeContent::AuctionResult(content) => Some(Notice::auction("", content).subject),
        NoticeContent::Webhook(_) => None,
    }
}
