//! The platform's error codes and the words that come with them.

use std::borrow::Cow;

/// What stands in an `error_response`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The platform's code (protocols.md §1).
    pub code: u32,
    /// The code's words, with the argument's name where one is at fault.
    pub msg: Cow<'static, str>,
    /// `isp.*`, the platform's fault, `isv.*`, the caller's, or a limit of access.
    pub sub_code: Option<Cow<'static, str>>,
    /// The sub-code's words.
    pub sub_msg: Option<Cow<'static, str>>,
}

impl Fault {
    /// The code with its own words and no sub-code.
    pub fn of(code: u32) -> Self {
        Self { code, msg: Cow::Borrowed(words(code)), sub_code: None, sub_msg: None }
    }

    /// The code about one argument, named as the platform does: `Missing required arguments:biz_id`.
    pub(super) fn about(code: u32, argument: &str) -> Self {
        Self { msg: Cow::Owned(format!("{}:{argument}", words(code))), ..Self::of(code) }
    }

    /// The same with a sub-code.
    #[must_use]
    pub fn sub(mut self, code: impl Into<Cow<'static, str>>, msg: impl Into<Cow<'static, str>>) -> Self {
        self.sub_code = Some(code.into());
        self.sub_msg = Some(msg.into());
        self
    }

    /// Code 7: more calls than the app key may make.
    pub fn call_limited(ban_s: i64) -> Self {
        Self::of(7).sub(
            "accesscontrol.limited-by-api-access-count",
            format!("This ban will last for {} more seconds", ban_s.max(1)),
        )
    }

    /// Code 15: what stands behind the platform does not work.
    pub fn remote_service() -> Self {
        Self::of(15).sub("isp.remote-service-error", "远程服务调用异常")
    }
}

fn words(code: u32) -> &'static str {
    match code {
        7 => "App Call Limited",
        9 => "Http Action Not Allowed",
        10 => "Service Currently Unavailable",
        11 => "Insufficient ISV Permissions",
        15 | 50 => "Remote service error",
        21 => "Missing Method",
        22 => "Invalid Method",
        23 => "Invalid Format",
        24 => "Missing Signature",
        25 => "Invalid signature",
        26 => "Missing Session",
        27 => "Invalid Session",
        28 => "Missing App Key",
        29 => "Invalid App Key",
        30 => "Missing Timestamp",
        31 => "Invalid Timestamp",
        32 => "Missing Version",
        33 => "Invalid Version",
        34 => "Unsupported Version",
        40 => "Missing required arguments",
        41 => "Invalid arguments",
        _ => "Platform System error",
    }
}
