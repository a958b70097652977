//! The form by which a policy is surrendered: what it asks, how it is read, and what it says of a mistake.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use serde::Deserialize;

use baoqiao_domain::money::Amount;
use baoqiao_domain::policy::{Policy, PolicyState};
use baoqiao_domain::surrender::{Surrender, SurrenderStatus, SurrenderType};

use super::{address, format_local, parse_local};
use crate::http::console::language::messages;
use crate::http::console::parts::{Again, Question, question, reason};
use crate::http::console::view::View;

messages! {
    SURRENDER: "退保", "Surrender";
    SURRENDER_ASK: "退保 {}？", "Surrender {}?";
    SURRENDER_HINT: "保单随即终止，不能撤回。合作方配置了退保通知的，会收到通知。", "The policy ends at once, and that cannot be undone. The partner is told where so configured.";
    REFUND: "退款金额（元，可不填）", "Refund in yuan, if any";
    CONFIRM: "退款 {} 元，多于保费 {} 元，金额无误", "The refund of {} yuan is more than the premium of {} yuan, and is meant so";
    TIME: "退保时间（GMT+8）", "Time of surrender (GMT+8)";
    ENDORSEMENT: "批单号（可不填）", "Endorsement number, if any";
    REASON_MISSING: "未执行：请填写事由。", "Nothing was done: please give a reason.";
    REFUND_WRONG: "未执行：退款金额应为数字，至多两位小数，例如 6.36。", "Nothing was done: the refund has to be a number of at most two decimals, such as 6.36.";
    REFUND_OVER: "未执行：退款多于保费。金额无误的，请勾选确认后再次提交。", "Nothing was done: the refund is more than the premium. If that is meant, tick the box and send it again.";
    TIME_WRONG: "未执行：退保时间无法识别。", "Nothing was done: the time of surrender could not be read.";
    TIME_AHEAD: "未执行：退保时间最晚为一天之后。", "Nothing was done: the time of surrender may be a day ahead at most.";
    TIME_BEFORE: "未执行：退保时间早于出单时间 {}。", "Nothing was done: the time of surrender is before the policy was issued, {}.";
}

/// How far ahead a surrender may be dated.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// What somebody typed.
#[derive(Clone, Deserialize)]
pub(super) struct SurrenderForm {
    reason: String,
    /// Sent twice, it is one order.
    pub(super) key: String,
    refund_money: String,
    surrender_time: String,
    endorsement_no: String,
    /// The refund that was confirmed although it is more than the premium.
    #[serde(default)]
    confirmed: String,
}

/// Why a form is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mistake {
    ReasonMissing,
    RefundWrong,
    /// The refund is more than the premium, and nobody has confirmed it.
    RefundOver,
    TimeWrong,
    TimeAhead,
    TimeBefore,
}

impl Mistake {
    /// What is wrong and what to do.
    pub(super) fn words(self, view: &View, policy: &Policy) -> String {
        let text = match self {
            Self::ReasonMissing => REASON_MISSING,
            Self::RefundWrong => REFUND_WRONG,
            Self::RefundOver => REFUND_OVER,
            Self::TimeWrong => TIME_WRONG,
            Self::TimeAhead => TIME_AHEAD,
            Self::TimeBefore => {
                return view.with(TIME_BEFORE, &[&format_local(policy.issued_at).replace('T', " ")]);
            }
        };
        view.t(text).to_owned()
    }

    fn is_of_refund(self) -> bool {
        matches!(self, Self::RefundWrong | Self::RefundOver)
    }

    fn is_of_time(self) -> bool {
        matches!(self, Self::TimeWrong | Self::TimeAhead | Self::TimeBefore)
    }
}

impl SurrenderForm {
    /// The form before anybody has typed.
    pub(super) fn blank(view: &View, key: String) -> Self {
        let (surrender_time, none) = (format_local(view.now), String::new);
        Self { reason: none(), key, refund_money: none(), surrender_time, endorsement_no: none(), confirmed: none() }
    }

    /// What it says, as a surrender by that caller, and why.
    pub(super) fn read(&self, caller: String, policy: &Policy, now: Timestamp) -> Result<(Surrender, String), Mistake> {
        let why = reason(&self.reason).ok_or(Mistake::ReasonMissing)?;
        let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let order = Surrender {
            caller,
            policy_no: policy.number.to_string(),
            status: SurrenderStatus::default(),
            refund_money: self.refund(policy)?,
            surrender_time: self.time(policy, now)?,
            endorsement_no: text(&self.endorsement_no),
            alipay_open_id: None,
            pre_flow_id: None,
            surrender_type: SurrenderType::default(),
        };
        Ok((order, why))
    }

    fn refund(&self, policy: &Policy) -> Result<Option<Amount>, Mistake> {
        if self.refund_money.trim().is_empty() {
            return Ok(None);
        }
        let refund: Amount = self.refund_money.trim().parse().map_err(|_| Mistake::RefundWrong)?;
        if refund.has_parts_of_a_hundredth() {
            return Err(Mistake::RefundWrong);
        }
        if self.excess(policy).is_some() && !self.confirms(refund) {
            Err(Mistake::RefundOver)
        } else {
            Ok(Some(refund))
        }
    }

    /// The refund, where it is more than the premium.
    fn excess(&self, policy: &Policy) -> Option<Amount> {
        self.refund_money.trim().parse().ok().filter(|refund| *refund > policy.premium_of_cny)
    }

    /// Whether that very refund was confirmed: another one is asked about anew.
    fn confirms(&self, refund: Amount) -> bool {
        self.confirmed.parse() == Ok(refund)
    }

    fn time(&self, policy: &Policy, now: Timestamp) -> Result<Timestamp, Mistake> {
        let time = parse_local(&self.surrender_time).ok_or(Mistake::TimeWrong)?;
        // The form knows seconds only.
        if time.as_second() < policy.issued_at.as_second() {
            return Err(Mistake::TimeBefore);
        }
        if time > now + AHEAD { Err(Mistake::TimeAhead) } else { Ok(time) }
    }
}

/// The question before a surrender, where the policy can be: filled in, and with what was wrong the time before.
pub(super) fn surrender_question(
    view: &View,
    policy: &Policy,
    form: &SurrenderForm,
    mistake: Option<Mistake>,
) -> Markup {
    if !policy.state.may_become(PolicyState::Surrendered) {
        return html! {};
    }
    let said = mistake.map(|mistake| mistake.words(view, policy));
    question(
        view,
        &Question {
            id: "surrender",
            button: view.t(SURRENDER),
            is_grave: true,
            title: &view.with(SURRENDER_ASK, &[&policy.number]),
            hint: view.t(SURRENDER_HINT),
            action: &format!("{}/surrender", address(&policy.number)),
            fields: fields(view, policy, form, mistake),
            target: None,
            again: said.as_deref().map(|said| Again { said, reason: &form.reason }),
        },
    )
}

fn fields(view: &View, policy: &Policy, form: &SurrenderForm, mistake: Option<Mistake>) -> Markup {
    let is_wrong = |of: fn(Mistake) -> bool| mistake.is_some_and(of).then_some("true");
    let latest = format_local(view.now + AHEAD);
    html! {
        input type="hidden" name="key" value=(form.key);
        div.field {
            label for="refund" { (view.t(REFUND)) }
            input #refund name="refund_money" inputmode="decimal" pattern="[0-9]+(\\.[0-9]{1,2})?" maxlength="24"
                autocomplete="off" value=(form.refund_money) aria-invalid=[is_wrong(Mistake::is_of_refund)];
            @if let Some(refund) = form.excess(policy).filter(|_| mistake.is_some()) {
                label.confirm {
                    input type="checkbox" name="confirmed" value=(refund) checked[form.confirms(refund)];
                    (view.with(CONFIRM, &[&refund.grouped(), &policy.premium_of_cny.grouped()]))
                }
            }
        }
        div.field {
            label for="surrender-time" { (view.t(TIME)) }
            input #surrender-time name="surrender_time" type="datetime-local" step="1" required
                min=(format_local(policy.issued_at)) max=(latest)
                value=(form.surrender_time) aria-invalid=[is_wrong(Mistake::is_of_time)];
        }
        div.field {
            label for="endorsement" { (view.t(ENDORSEMENT)) }
            input #endorsement name="endorsement_no" maxlength="64" autocomplete="off" value=(form.endorsement_no);
        }
    }
}
