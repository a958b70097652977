//! A policy as the ledger knows it, apart from its parties.

use jiff::Timestamp;

use crate::currency::Currency;
use crate::issuing::PolicyApplication;
use crate::money::Amount;
use crate::policy_number::PolicyNumber;

/// What has become of a policy. Being in force or expired is not a state but a matter of time: see [`Phase`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicyState {
    /// Issued, and nothing has ended it before its time.
    Issued,
    /// 解约: rescinded by notice.
    Rescinded,
    /// 退保: surrendered.
    Surrendered,
}

impl PolicyState {
    /// The state's name in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Rescinded => "rescinded",
            Self::Surrendered => "surrendered",
        }
    }

    /// The Chinese name, for messages.
    pub fn label(self) -> &'static str {
        match self {
            Self::Issued => "已承保",
            Self::Rescinded => "已解约",
            Self::Surrendered => "已退保",
        }
    }

    /// Whether a policy in this state may come into that one: what was issued ends once, and nothing comes back. An
    /// expired policy may still be ended, since platforms report late.
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Issued => next != Self::Issued,
            Self::Rescinded | Self::Surrendered => false,
        }
    }

    /// Whether the policy ended before its time.
    pub fn is_ended(self) -> bool {
        self != Self::Issued
    }

    /// Reads the ledger's name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Issued, Self::Rescinded, Self::Surrendered].into_iter().find(|state| state.as_str() == name)
    }
}

/// Where a policy stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// 未生效: issued, its period not begun.
    Pending,
    /// 保障中: in force.
    InForce,
    /// 已到期: its period is over.
    Expired,
    /// 已解约.
    Rescinded,
    /// 已退保.
    Surrendered,
}

impl Phase {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InForce => "in-force",
            Self::Expired => "expired",
            Self::Rescinded => "rescinded",
            Self::Surrendered => "surrendered",
        }
    }

    /// The Chinese name, for documents and pages.
    pub fn label(self) -> &'static str {
        match self {
            Self::Pending => "未生效",
            Self::InForce => "保障中",
            Self::Expired => "已到期",
            Self::Rescinded => "已解约",
            Self::Surrendered => "已退保",
        }
    }
}

/// A policy without personal data: what lists, rules and reconciliation need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its number.
    pub number: PolicyNumber,
    /// The partner that sold it.
    pub partner: String,
    /// 产品码.
    pub product_code: String,
    /// The platform's idempotency key.
    pub identifier: String,
    /// The platform's number of it.
    pub insure_id: String,
    /// Sum insured, in `currency`.
    pub amount: Amount,
    /// Premium, in `currency`.
    pub premium: Amount,
    /// Premium in yuan.
    pub premium_of_cny: Amount,
    /// The currency of both.
    pub currency: Currency,
    /// The first moment insured.
    pub effect_time: Timestamp,
    /// The last moment insured.
    pub expire_time: Timestamp,
    /// When the gateway issued it.
    pub issued_at: Timestamp,
    /// What has become of it.
    pub state: PolicyState,
}

impl Policy {
    /// The policy that an application becomes.
    pub fn issue(application: &PolicyApplication, number: PolicyNumber, issued_at: Timestamp) -> Self {
        Self {
            number,
            partner: application.partner.clone(),
            product_code: application.product_code.clone(),
            identifier: application.identifier.clone(),
            insure_id: application.insure_id.clone(),
            amount: application.amount,
            premium: application.premium,
            premium_of_cny: application.premium_of_cny,
            currency: application.currency,
            effect_time: application.effect_time,
            expire_time: application.expire_time,
            issued_at,
            state: PolicyState::Issued,
        }
    }

    /// Where it stands at `now`.
    pub fn phase(&self, now: Timestamp) -> Phase {
        match self.state {
            PolicyState::Rescinded => Phase::Rescinded,
            PolicyState::Surrendered => Phase::Surrendered,
            PolicyState::Issued if now < self.effect_time => Phase::Pending,
            PolicyState::Issued if now > self.expire_time => Phase::Expired,
            PolicyState::Issued => Phase::InForce,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::Bucket;
    use crate::issuing::tests::example;

    #[test]
    fn time_alone_takes_a_policy_through_its_phases() {
        let application = example();
        let number = PolicyNumber::new(&"PBDI".parse().unwrap(), application.insure_time, Bucket::of_key("x"), 1);
        let mut policy = Policy::issue(&application, number, application.insure_time);
        let second = jiff::SignedDuration::from_secs(1);
        assert_eq!(policy.phase(policy.effect_time - second), Phase::Pending);
        assert_eq!(policy.phase(policy.effect_time), Phase::InForce);
        assert_eq!(policy.phase(policy.expire_time), Phase::InForce);
        assert_eq!(policy.phase(policy.expire_time + second), Phase::Expired);
        policy.state = PolicyState::Rescinded;
        assert_eq!(policy.phase(policy.effect_time), Phase::Rescinded);
    }

    #[test]
    fn every_state_reads_back_from_its_name() {
        for state in [PolicyState::Issued, PolicyState::Rescinded, PolicyState::Surrendered] {
            assert_eq!(PolicyState::from_name(state.as_str()), Some(state));
        }
        assert_eq!(PolicyState::from_name("lapsed"), None);
    }
}
