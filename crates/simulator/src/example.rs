//! The documents' request examples, exactly as printed there.

/// 请求示例 of `qimen.alibaba.finance.insurance.policy.issuing`.
pub const ISSUING_REQUEST: &str = include_str!("../golden/issuing-request.json");

/// 请求示例 of the recovery interface.
pub const RECOVERY_REQUEST: &str = include_str!("../../channels/src/qimen/golden/recovery/example.json");

/// 报文示例 of the rescission notice.
pub const RESCISSION_REQUEST: &str = include_str!("../../channels/src/avatar/golden/rescission_notice/example.json");

/// The method name of the issuing interface.
pub const ISSUING_METHOD: &str = "qimen.alibaba.finance.insurance.policy.issuing";

/// The method name of the recovery interface, which its document does not say: the gateway's default.
pub const RECOVERY_METHOD: &str = "qimen.alibaba.finance.insurance.recovery";
