//! Why a request was believed or not, as a part of a page: the steps, what is signed, and what to tell the other side.

use baoqiao_channels::explain::{
    Audience, Comparison, Explanation, Part, SecretName, SignedBody, Signing, Source, Standing, Step, Words,
};
use baoqiao_channels::rule::Rule;
use maud::{Markup, html};

use super::icons::{Icon, icon};
use super::language::{Language, messages};
use super::parts;
use super::traffic::said;
use super::view::View;

messages! {
    STEPS: "校验步骤", "Steps of the check";
    PASSED: "通过", "passed";
    FAILED: "不通过", "failed";
    UNKNOWN: "无法判定", "cannot be told";
    SIGNED: "参加签名的参数（按签名顺序，{}，字符集 {}）", "Parameters that are signed (in the order of signing, {}, in {})";
    RECEIVERS: "接收方规则", "by the receiver's rule";
    CALLERS: "调用方规则", "by the caller's rule";
    FROM: "位置", "From";
    NAME: "参数名", "Name";
    VALUE: "值", "Value";
    NUMBER: "序号", "No.";
    BARE: "空值：只拼参数名", "empty: its bare name";
    LEFT_OUT: "未参加", "left out";
    BODY: "报文体", "body";
    BODY_TEXT: "{} 字节，接在参数之后", "{} bytes, after the parameters";
    BODY_BREAK: "{} 字节，接在参数之后；末尾的换行也参加签名", "{} bytes, after the parameters; the line break at its end is signed, too";
    BODY_FORM: "表单：各字段作为参数", "a form: its fields are parameters";
    BODY_NONE: "无", "none";
    BODY_CUT: "共 {} 字节，留存 {} 字节", "{} bytes, of which {} were kept";
    STRING: "待签名串", "String to sign";
    BODY_HIDDEN: "报文体（含个人信息，未显示）", "the body (not shown: it holds personal data)";
    PARTS_HIDDEN: "含业务参数，可能有个人信息，未显示。", "Not shown: it holds parameters that may be personal data.";
    SIGNATURES: "签名（{}）", "Signatures ({})";
    SENT: "收到", "Sent";
    COMPUTED: "按{}算出", "Computed by {}";
    THE_SAME: "与收到的一致", "the same as what came";
    ANOTHER: "与收到的不同", "another than what came";
    KEPT_BACK: "算出的签名不在网页显示：凭它可以发出这次调用。需要时请在网关所在的机器上运行 baoqiao sign explain。", "A computed signature is not shown on a page: the call could be made with it. Where it is needed, run baoqiao sign explain on the gateway's machine.";
    LETTER: "可转给对方的说明", "To forward to the other side";
    COPY: "复制", "Copy";
}

/// Whether values that may hold personal data are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Shown,
    Hidden,
}

/// Parameters of the query that hold no personal data, as the platform defines them.
const SYSTEM: [&str; 11] = [
    "app_key",
    "customerId",
    "format",
    "method",
    "partner_id",
    "sign",
    "sign_method",
    "simplify",
    "target_app_key",
    "timestamp",
    "v",
];

/// All of it.
pub(super) fn explanation(view: &View, explanation: &Explanation, content: Content) -> Markup {
    html! {
        div.explained {
            ol.steps aria-label=(view.t(STEPS)) { @for step in &explanation.steps { (one_step(view, step)) } }
            @if let Some(letter) = &explanation.letter { (forward(view, letter)) }
            @if let Some(signing) = &explanation.signing {
                (signed(view, signing, content))
                (string_to_sign(view, signing, content))
                (signatures(view, signing))
            }
        }
    }
}

fn one_step(view: &View, step: &Step) -> Markup {
    let (class, picture, name) = match step.standing {
        Standing::Passed => ("step good", Icon::Check, PASSED),
        Standing::Failed => ("step bad", Icon::Alert, FAILED),
        Standing::Unknown => ("step quiet", Icon::Alert, UNKNOWN),
    };
    html! { li class=(class) { (icon(picture)) span.hidden { (view.t(name)) } span { (said(view, &step.words)) } } }
}

fn forward(view: &View, letter: &Words) -> Markup {
    let own = match view.language {
        Language::Chinese => [("letter-zh", "中文", &letter.zh), ("letter-en", "English", &letter.en)],
        Language::English => [("letter-en", "English", &letter.en), ("letter-zh", "中文", &letter.zh)],
    };
    html! {
        section.letter {
            h3 { (view.t(LETTER)) }
            @for (id, language, text) in own {
                div.letter-part {
                    div.letter-head {
                        span.muted lang=(if id == "letter-zh" { "zh-CN" } else { "en" }) { (language) }
                        button.button type="button" data-copies=(id) { (view.t(COPY)) }
                    }
                    pre id=(id) tabindex="0" { (text) }
                }
            }
        }
    }
}

fn signed(view: &View, signing: &Signing, content: Content) -> Markup {
    let rule = view.t(match signing.rule {
        Rule::Receiver => RECEIVERS,
        Rule::Caller => CALLERS,
    });
    let columns = [NUMBER, FROM, NAME, VALUE].map(|column| view.t(column));
    let rows = html! {
        @for (at, part) in signing.signed.iter().enumerate() {
            (row(view, &columns, &(at + 1).to_string(), part, &value(view, part, content), false))
        }
        @if signing.body != SignedBody::None {
            tr {
                td data-label=(columns[0]) {}
                td data-label=(columns[1]) { (view.t(BODY)) }
                td data-label=(columns[2]) {}
                td.wrap data-label=(columns[3]) { (body(view, signing.body)) }
            }
        }
        @for (part, why) in &signing.left_out {
            @let shown = html! { (value(view, part, content)) " " span.muted { "· " (said(view, &why.words())) } };
            (row(view, &columns, view.t(LEFT_OUT), part, &shown, true))
        }
    };
    let title = view.with(SIGNED, &[&rule, &signing.charset]);
    html! {
        section {
            h3 { (title) }
            (parts::table(&title, &columns, &rows))
        }
    }
}

fn row(view: &View, columns: &[&str; 4], number: &str, part: &Part, value: &Markup, is_left_out: bool) -> Markup {
    let [no, from, name, val] = columns;
    html! {
        tr.left-out[is_left_out] {
            td data-label=(no) { (number) }
            td data-label=(from) { (said(view, &part.source.words())) }
            td data-label=(name) { code { (part.name) } }
            td.wrap data-label=(val) { (value) }
        }
    }
}

/// Whether a value holds no personal data: what the platform defines, and headers.
fn is_plain(part: &Part) -> bool {
    match part.source {
        _ if part.value.is_empty() => true,
        Source::Header => true,
        Source::Form => false,
        Source::Query => SYSTEM.contains(&part.name.as_str()),
    }
}

fn value(view: &View, part: &Part, content: Content) -> Markup {
    html! {
        @if part.value.is_empty() { span.muted { (view.t(BARE)) } }
        @else if content == Content::Shown || is_plain(part) { code { (part.value) } }
        @else { span.muted { "•••" } }
    }
}

fn body(view: &View, body: SignedBody) -> String {
    match body {
        SignedBody::None => view.t(BODY_NONE).to_owned(),
        SignedBody::Form => view.t(BODY_FORM).to_owned(),
        SignedBody::Text { bytes, ends_with_line_break: false } => view.with(BODY_TEXT, &[&bytes]),
        SignedBody::Text { bytes, ends_with_line_break: true } => view.with(BODY_BREAK, &[&bytes]),
        SignedBody::Cut { kept_bytes, body_bytes } => view.with(BODY_CUT, &[&body_bytes, &kept_bytes]),
    }
}

fn string_to_sign(view: &View, signing: &Signing, content: Content) -> Markup {
    let hidden = content == Content::Hidden;
    html! {
        section {
            h3 { (view.t(STRING)) }
            @if hidden && !signing.signed.iter().all(is_plain) {
                p.muted { (view.t(PARTS_HIDDEN)) }
            } @else {
                pre.string-to-sign tabindex="0" {
                    (signing.joined)
                    @if hidden && !signing.body_text.is_empty() {
                        span.muted { "⟨" (view.t(BODY_HIDDEN)) "⟩" }
                    } @else { span.of-body { (signing.body_text) } }
                }
            }
        }
    }
}

/// What is right is told, and never what would be: whoever may look could make calls of their own with it.
fn signatures(view: &View, signing: &Signing) -> Markup {
    if signing.sent.is_none() && signing.computed.is_empty() {
        return Markup::default();
    }
    let is_right = |secret: &SecretName| matches!(&signing.comparison, Comparison::Right(right) if right == secret);
    html! {
        section {
            h3 { (view.with(SIGNATURES, &[&signing.method])) }
            dl.signatures {
                @if let Some(sent) = signing.sent.as_deref().filter(|sent| !sent.is_empty()) {
                    div { dt { (view.t(SENT)) } dd { code { (sent) } } }
                }
                @for (secret, _) in &signing.computed {
                    div {
                        dt { (view.with(COMPUTED, &[&said(view, &secret.words(Audience::Ourselves))])) }
                        dd { (view.t(if is_right(secret) { THE_SAME } else { ANOTHER })) }
                    }
                }
            }
            @if !signing.computed.is_empty() && !signing.is_right() { p.muted { (view.t(KEPT_BACK)) } }
        }
    }
}
