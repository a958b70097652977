//! Policy sources, 渠道: who may rescind policies, and which.

use crate::policy::Policy;

/// What one `policySource` may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySource {
    /// 渠道代码, as the insurer gave it out.
    pub code: String,
    /// The partners whose policies it may rescind, by their ids in the configuration.
    pub partners: Vec<String>,
    /// The products whose policies it may rescind; `None` for every product.
    pub products: Option<Vec<String>>,
}

impl PolicySource {
    /// Whether it may rescind that policy.
    pub fn may_rescind(&self, policy: &Policy) -> bool {
        let has = |names: &[String], name: &str| names.iter().any(|one| one == name);
        has(&self.partners, &policy.partner)
            && self.products.as_ref().is_none_or(|products| has(products, &policy.product_code))
    }
}
