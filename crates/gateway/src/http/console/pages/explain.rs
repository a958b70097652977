//! `/console/explain`: a pasted curl command, held against what the configuration knows. Nothing of it is kept.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use baoqiao_channels::explain::curl::{self, CurlError};
use baoqiao_channels::explain::{Explanation, Protocol, Words};
use maud::{Markup, html};
use serde::Deserialize;

use super::messages::{Tab, tabs};
use crate::http::console::Console;
use crate::http::console::access::{Visit, need};
use crate::http::console::explanation::{Content, explanation};
use crate::http::console::failure::Failure;
use crate::http::console::language::messages;
use crate::http::console::layout::{self, Place, form_token};
use crate::http::console::order::Order;
use crate::http::console::parts::{self, Tone, notice};
use crate::http::console::traffic::said;
use crate::http::console::view::View;

messages! {
    LEAD: "粘贴对方发来的 curl 命令，查明签名为何不符。不发送，也不留存。", "Paste a curl command of the other side to find out why its signature is wrong. It is neither sent nor kept.";
    COMMAND: "curl 命令", "curl command";
    COMMAND_HINT: "终端、文档或浏览器“复制为 cURL”（bash 或 Windows）均可；不读取 @文件。", "From a terminal, a document or a browser (copy as cURL, bash or Windows); files (@…) are not read.";
    PROTOCOL: "按谁的规则校验", "Whose check";
    BY_LOOK: "按请求判断", "By the look of it";
    EXPLAIN: "解释", "Explain";
    RESULT: "结果：{}", "Result: {}";
    NO_FILE: "网页上不读取文件", "files are not read here";
}

const PATH: &str = "/console/explain";

#[derive(Debug, Default, Deserialize)]
struct Pasted {
    command: String,
    protocol: Option<String>,
}

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route(PATH, get(show).post(explain))
}

async fn show(visit: Visit<need::Viewer>) -> Markup {
    page(&visit.view, &Pasted::default(), &html! {})
}

async fn explain(
    State(console): State<Arc<Console>>,
    Order { view, content, .. }: Order<need::Viewer, Pasted>,
) -> Result<Markup, Failure> {
    let no_file = view.t(NO_FILE);
    let (pasted, result) = console
        .read(move |console| {
            let result = explained(console, &content, no_file);
            Ok((content, result))
        })
        .await?;
    let shown = match &result {
        Ok((protocol, explained)) => {
            let title = view.with(RESULT, &[&said(&view, &protocol.words())]);
            parts::card(&title, &explanation(&view, explained, Content::Shown))
        }
        Err(words) => notice(Tone::Bad, said(&view, words)),
    };
    Ok(page(&view, &pasted, &shown))
}

fn explained(console: &Console, pasted: &Pasted, no_file: &str) -> Result<(Protocol, Explanation), Words> {
    let read = |_: &str| Err(no_file.to_owned());
    let evidence = curl::parse(&pasted.command, &read).map_err(|error: CurlError| error.words())?;
    let named = pasted.protocol.as_deref().and_then(Protocol::by_name);
    let protocol = named.unwrap_or_else(|| Protocol::of(&evidence));
    Ok((protocol, console.explainer.explain(protocol, &evidence, console.clock.now())))
}

fn page(view: &View, pasted: &Pasted, result: &Markup) -> Markup {
    let form = html! {
        form.wide-form method="post" action=(PATH) {
            (form_token(view))
            div.field {
                label for="command" { (view.t(COMMAND)) }
                textarea #command name="command" rows="8" required spellcheck="false" autocomplete="off" {
                    (pasted.command)
                }
                p.field-hint { (view.t(COMMAND_HINT)) }
            }
            div.inline-form {
                div.field {
                    label for="protocol" { (view.t(PROTOCOL)) }
                    select #protocol name="protocol" {
                        option value="" { (view.t(BY_LOOK)) }
                        @for name in Protocol::names() {
                            option value=(name) selected[pasted.protocol.as_deref() == Some(name)] { (name) }
                        }
                    }
                }
                div.field.field-button { button.button.primary.filled type="submit" { (view.t(EXPLAIN)) } }
            }
        }
    };
    let content = html! {
        header.page-head { div { h1 { (view.t(Place::Messages.label())) } p.muted { (view.t(LEAD)) } } }
        (tabs(view, Tab::Pasted))
        section.card { (form) }
        (result)
    };
    layout::page(view, Some(Place::Messages), view.t(Place::Messages.label()), &content)
}
