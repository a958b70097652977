//! A call to TOP, held against the caller's rule: our own, or one that somebody made by hand.

use jiff::Timestamp;

use crate::explain::{Check, Evidence, Explanation, Known, Signing, Standing, Step, Subject, shown};
use crate::qimen::explain::{DEFAULT_WINDOW_S, timestamp_step};
use crate::qimen::sign::SignedParts;
use crate::rule::Rule;
use crate::sign_method::SignMethod;

/// Whether TOP would believe the call, as of `now`; by the secrets of our applications.
pub fn explain(evidence: &Evidence, known: &Known<'_>, now: Timestamp) -> Explanation {
    // TOP takes parameters from query and form alike, which is how these parts are read.
    let parts = SignedParts::of(&evidence.raw);
    let app_key = parts.text("app_key");
    let app = known.apps.iter().find(|(_, app)| Some(app.app_key.as_str()) == app_key.as_deref());
    let named = parts.text("sign_method").filter(|name| !name.is_empty());
    let method: Option<SignMethod> = named.as_deref().and_then(|name| name.parse().ok());
    let secrets = known.for_app(app_key.as_deref());
    let check = Check {
        rule: Rule::Caller,
        method: method.unwrap_or(SignMethod::Md5),
        secrets: &secrets,
        header: None,
        body_only: false,
    };
    let signing = Signing::of(evidence, &check);
    let app_key = app_key.map(|app_key| shown(&app_key));
    let steps = vec![
        match (&app_key, app) {
            (None, _) => Step::new(Standing::Failed, "没有参数 app_key", "there is no parameter app_key"),
            (Some(app_key), Some((owner, _))) => Step::new(
                Standing::Passed,
                format!("app_key {app_key} 是我方在平台 {owner} 的应用"),
                format!("app_key {app_key} is our application at the platform {owner}"),
            ),
            (Some(app_key), None) => Step::new(
                Standing::Failed,
                format!("app_key {app_key} 不是任何 [[platform]] 的"),
                format!("app_key {app_key} is that of no [[platform]]"),
            ),
        },
        match (&named, method) {
            (Some(_), Some(method)) => {
                Step::new(Standing::Passed, format!("签名方法 {method}"), format!("signed by {method}"))
            }
            (named, _) => {
                let named = shown(named.as_deref().unwrap_or_default());
                Step::new(
                    Standing::Failed,
                    format!("sign_method “{named}”不是 md5、hmac、hmac-sha256 之一"),
                    format!("sign_method {named:?} is none of md5, hmac, hmac-sha256"),
                )
            }
        },
        timestamp_step(parts.text("timestamp").as_deref(), DEFAULT_WINDOW_S, now),
    ];
    Explanation::of(steps, signing, 2, &Subject::of_parameters(&parts))
}
