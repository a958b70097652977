//! `/console/channels/{channel}/{interface}`: an interface's fields as its decoder tells them, examples, and a form to try it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use baoqiao_channels::CHANNELS;
use baoqiao_channels::channel::{Channel, Interface, RawRequest};
use baoqiao_channels::describe::{FieldDescription, example_without, fields, takes_xml};
use baoqiao_channels::origin::Origin;
use baoqiao_domain::refusal::{FieldProblem, Refusal};
use maud::{Markup, html};
use serde::Deserialize;

use crate::console::audit::Action;
use crate::console::role::Role;
use crate::http::console::Console;
use crate::http::console::access::{Visit, need};
use crate::http::console::explanation::{Content, explanation};
use crate::http::console::failure::Failure;
use crate::http::console::icons::{Icon, icon};
use crate::http::console::language::messages;
use crate::http::console::layout::{self, Place, form_token};
use crate::http::console::order::Order;
use crate::http::console::parts::{self, Tone, chip, notice, reason};
use crate::http::console::traffic::said;
use crate::http::console::trial::{Charset, Checked, Sent, Trial, Untried};
use crate::http::console::view::View;

messages! {
    BACK: "渠道与产品", "Channels";
    METHOD: "方法名", "Method";
    PATH_NAME: "路径", "Path";
    SCOPE: "代号", "Id";
    FIELDS: "字段", "Fields";
    FIELDS_LEAD: "逐个字段试出，与实际校验一致；取值来自接口文档的示例。", "Found by trying each field, so it is what is really checked; the values are those of the document's example.";
    FIELD: "字段", "Field";
    REQUIRED: "必填", "required";
    OPTIONAL: "选填", "optional";
    EXPECTED: "要求", "What it should be";
    ANY_TEXT: "任意文本", "any text";
    EXAMPLE: "示例", "Example";
    EXAMPLES: "示例", "Examples";
    REQUEST: "请求（接口文档中的示例）", "Request (the document's example)";
    ACCEPTED: "受理后的应答", "Answer of one that was accepted";
    REFUSED: "拒绝时的应答", "Answer of one that was refused";
    TRY: "试一试", "Try it";
    TRY_LEAD: "以选定的身份签名。“只校验”不留下任何记录；“真的发送”与平台的调用完全一样，可能出单或解约。", "Signed as the caller that you choose. A check leaves no trace; sending is a call like any other, and may issue or end a policy.";
    TRY_LEAD_UNSIGNED: "以选定的身份发出；为其配置了密钥的会签名。“只校验”不留下任何记录；“真的发送”与平台的调用完全一样，可能出单或解约。", "Sent as the caller that you choose, signed where it has a secret. A check leaves no trace; sending is a call like any other, and may issue or end a policy.";
    CALLER: "以谁的身份", "As";
    CHARSET: "字符集", "Charset";
    BODY: "报文体（JSON 或 XML）", "Body (JSON or XML)";
    BODY_JSON: "报文体（JSON）", "Body (JSON)";
    CHECK: "只校验", "Check only";
    SEND: "真的发送", "Really send";
    REASON: "发送事由", "Reason for sending";
    REASON_HINT: "真的发送时必填，写入审计日志", "Needed to send; goes into the audit log";
    ROLE_NEEDED: "试发需要操作员角色。", "Trying it needs the role of an operator.";
    WOULD_PASS: "校验通过：作为幂等号 {} 的首次报文会被受理。", "It passes: as the first message under the key {} it would be accepted.";
    WOULD_FAIL: "会被拒绝：{} {}", "It would be refused: {} {}";
    NO_CALLER: "没有这样的调用方，或该接口没有配置方法名。", "There is no such caller, or the interface has no method name.";
    NOT_IN_CHARSET: "报文体中有 GBK 没有的字符。", "The body has a character that GBK lacks.";
    NO_REASON: "没有发送：请填写事由。", "Nothing was sent: please give a reason.";
    ANSWER: "应答（HTTP {}）", "Answer (HTTP {})";
    SEE: "在报文列表中查看", "See it among the messages";
}

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/console/channels/{channel}/{interface}", get(show))
        .route("/console/channels/{channel}/{interface}/try", post(attempt))
}

fn find(channel: &str, interface: &str) -> Result<(&'static dyn Channel, &'static dyn Interface), Failure> {
    let scope = format!("{channel}/{interface}");
    let channel = CHANNELS.iter().copied().find(|known| known.name() == channel).ok_or(Failure::NotFound)?;
    let interface = channel.interfaces().iter().copied().find(|known| known.scope() == scope);
    Ok((channel, interface.ok_or(Failure::NotFound)?))
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit<need::Viewer>,
    Path((channel, interface)): Path<(String, String)>,
) -> Result<Markup, Failure> {
    let (channel, interface) = find(&channel, &interface)?;
    let tried = Tried::example(interface);
    Ok(page(&visit.view, &console, (channel, interface), &tried, &html! {}))
}

/// What the form says.
#[derive(Debug, Clone, Default, Deserialize)]
struct Tried {
    caller: String,
    #[serde(default)]
    charset: Charset,
    body: String,
    #[serde(default)]
    reason: String,
    mode: String,
}

impl Tried {
    fn example(interface: &dyn Interface) -> Self {
        let example = interface.examples().request;
        // Laid out for people, where it is JSON in every letter.
        let tree = serde_json::from_str::<serde_json::Value>(example).ok();
        let body = tree.and_then(|tree| serde_json::to_string_pretty(&tree).ok()).unwrap_or_else(|| example.to_owned());
        Self { body, ..Self::default() }
    }
}

async fn attempt(
    State(console): State<Arc<Console>>,
    Path((channel, interface)): Path<(String, String)>,
    Order { view, content, .. }: Order<need::Operator, Tried>,
) -> Result<Markup, Failure> {
    let (channel, interface) = find(&channel, &interface)?;
    let trial = Trial {
        channel,
        interface,
        caller: content.caller.clone(),
        charset: content.charset,
        body: content.body.clone(),
        origin: Origin { address: view.peer.parse().ok(), certificate: None },
    };
    let result = match trial.request(&console) {
        Err(untried) => untried_notice(&view, untried),
        Ok(raw) if content.mode == "send" => sent(&console, &view, &trial, raw, &content.reason).await?,
        Ok(raw) => {
            let checked = console.read(move |console| trial.check(console, raw)).await?;
            checked_notice(&view, &checked)
        }
    };
    Ok(page(&view, &console, (channel, interface), &content, &result))
}

fn untried_notice(view: &View, untried: Untried) -> Markup {
    notice(
        Tone::Bad,
        view.t(match untried {
            Untried::NoCaller => NO_CALLER,
            Untried::NotInCharset => NOT_IN_CHARSET,
        }),
    )
}

fn checked_notice(view: &View, checked: &Checked) -> Markup {
    let said = match &checked.result {
        Ok(key) => notice(Tone::Good, &view.with(WOULD_PASS, &[key])),
        Err(refusal) => {
            let code = refusal.code().as_str();
            notice(Tone::Bad, &view.with(WOULD_FAIL, &[&code, &refusal.public_message()]))
        }
    };
    html! { section.card { (said) (explanation(view, &checked.explanation, Content::Shown)) } }
}

/// Sends it for that reason, which is written down before.
async fn sent(
    console: &Arc<Console>,
    view: &View,
    trial: &Trial,
    raw: RawRequest,
    given: &str,
) -> Result<Markup, Failure> {
    let Some(reason) = reason(given) else { return Ok(notice(Tone::Bad, view.t(NO_REASON))) };
    let entry = view.does(Action::MessageTried, trial.interface.scope().to_owned(), reason);
    console.read(move |console| Ok(console.store.record(&entry)?)).await?;
    let Sent { status, answer } = trial.send(console, raw).await?;
    Ok(html! {
        section.card {
            h2 { (view.with(ANSWER, &[&status])) }
            pre tabindex="0" { (answer) }
            p { a href="/console/messages" { (view.t(SEE)) } }
        }
    })
}

type Found = (&'static dyn Channel, &'static dyn Interface);

fn page(view: &View, console: &Console, (channel, interface): Found, tried: &Tried, result: &Markup) -> Markup {
    let method = console.config.access.method_of(interface.scope());
    let title = view.label(interface.label());
    let caller = channel.callers(&console.config.access).into_iter().next().unwrap_or_default();
    let fields = fields(channel, interface, &caller, &console.config.catalogue);
    let content = html! {
        header.page-head {
            div {
                p { a.back href="/console/channels" { (icon(Icon::Back)) (view.t(BACK)) } }
                h1 { (title) }
            }
        }
        section.card {
            (parts::fields([
                (view.t(SCOPE), parts::code(interface.scope())),
                (view.t(PATH_NAME), parts::code(channel.path())),
                (view.t(METHOD), parts::or_none(view, method.map(parts::code))),
            ]))
        }
        (result)
        (try_form(view, console, (channel, interface), tried))
        (described(view, &fields))
        (examples(view, console, (channel, interface), &fields))
    };
    layout::page(view, Some(Place::Channels), title, &content)
}

fn described(view: &View, fields: &[FieldDescription]) -> Markup {
    let columns = [FIELD, REQUIRED, EXPECTED, EXAMPLE].map(|column| view.t(column));
    let rows = html! { @for field in fields { (field_row(view, &columns, field)) } };
    html! {
        section.stack {
            h2 { (view.t(FIELDS)) }
            p.muted { (view.t(FIELDS_LEAD)) }
            (parts::table(view.t(FIELDS), &columns, &rows))
        }
    }
}

fn field_row(view: &View, columns: &[&str; 4], field: &FieldDescription) -> Markup {
    let [path, required, expected, example] = columns;
    html! {
        tr {
            td.wrap data-label=(path) { (parts::code(&field.path)) }
            td data-label=(required) {
                @if field.is_required { (chip(Tone::Info, view.t(REQUIRED))) }
                @else { (chip(Tone::Quiet, view.t(OPTIONAL))) }
            }
            td.wrap data-label=(expected) {
                @match &field.expected {
                    Some(expected) => { (said(view, expected)) }
                    None => { span.muted { (view.t(ANY_TEXT)) } }
                }
            }
            td.wrap data-label=(example) { code { (field.example) } }
        }
    }
}

fn examples(view: &View, console: &Console, (channel, interface): Found, fields: &[FieldDescription]) -> Markup {
    let shown = interface.examples();
    let refused = fields.iter().find(|field| field.is_required).and_then(|field| {
        let request = example_without(channel, interface, &field.path)?;
        let refusal = Err(Refusal::InvalidFields(vec![FieldProblem::missing(&field.path)]));
        Some(interface.reply(&request, &refusal, console.clock.now()))
    });
    html! {
        section.card {
            h2 { (view.t(EXAMPLES)) }
            h3 { (view.t(REQUEST)) }
            pre tabindex="0" { (shown.request) }
            h3 { (view.t(ACCEPTED)) }
            pre tabindex="0" { (shown.answer) }
            @if let Some(refused) = refused {
                h3 { (view.t(REFUSED)) }
                pre tabindex="0" { (String::from_utf8_lossy(&refused.body)) }
            }
        }
    }
}

fn try_form(view: &View, console: &Console, (channel, interface): Found, tried: &Tried) -> Markup {
    let action = format!("/console/channels/{}/try", interface.scope());
    let access = &console.config.access;
    let callers = channel.callers(access);
    let all_sign = callers.iter().all(|caller| channel.signs(caller, access));
    let form = html! {
        p.muted { (view.t(if all_sign { TRY_LEAD } else { TRY_LEAD_UNSIGNED })) }
        form.wide-form method="post" action=(action) {
            (form_token(view))
            div.inline-form {
                div.field {
                    label for="caller" { (view.t(CALLER)) }
                    select #caller name="caller" {
                        @for caller in &callers {
                            option value=(caller) selected[tried.caller == *caller] { (caller) }
                        }
                    }
                }
                div.field {
                    label for="charset" { (view.t(CHARSET)) }
                    select #charset name="charset" {
                        option value="utf8" selected[tried.charset == Charset::Utf8] { "UTF-8" }
                        option value="gbk" selected[tried.charset == Charset::Gbk] { "GBK" }
                    }
                }
            }
            div.field {
                label for="body" { (view.t(if takes_xml(channel) { BODY } else { BODY_JSON })) }
                textarea #body name="body" rows="14" required spellcheck="false" autocomplete="off" { (tried.body) }
            }
            div.inline-form {
                div.field.field-button {
                    button.button.primary.filled type="submit" name="mode" value="check" { (view.t(CHECK)) }
                }
                div.field {
                    label for="reason" { (view.t(REASON)) }
                    input #reason name="reason" maxlength="200" autocomplete="off" value=(tried.reason);
                    p.field-hint { (view.t(REASON_HINT)) }
                }
                div.field.field-button {
                    button.button.danger type="submit" name="mode" value="send" { (view.t(SEND)) }
                }
            }
        }
    };
    html! {
        @if view.may(Role::Operator) { (parts::card(view.t(TRY), &form)) }
        @else { section.card { h2 { (view.t(TRY)) } p.muted { (view.t(ROLE_NEEDED)) } } }
    }
}
