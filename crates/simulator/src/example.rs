//! The documents' request examples, exactly as printed there.

/// 请求示例 of `qimen.alibaba.finance.insurance.policy.issuing`.
pub const ISSUING_REQUEST: &str = include_str!("../golden/issuing-request.json");

/// The method name of the issuing interface.
pub const ISSUING_METHOD: &str = "qimen.alibaba.finance.insurance.policy.issuing";
