//! `/console/channels`: who may call and how each proves it, where notices go and how that fares, what is sold, and every
//! interface with its documentation. No secret is shown, not even its length.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use baoqiao_channels::access::{Partner, SourceAccess};
use baoqiao_channels::{CHANNELS, OUTBOUND};
use baoqiao_domain::notice::NoticeKind;
use baoqiao_domain::product::{DiscrepancyPolicy, Product};
use jiff::Timestamp;
use maud::{Markup, html};

use crate::http::console::Console;
use crate::http::console::access::{Visit, need};
use crate::http::console::failure::Failure;
use crate::http::console::icons::Icon;
use crate::http::console::language::messages;
use crate::http::console::layout::{self, Place};
use crate::http::console::parts::{self, Tone, chip};
use crate::http::console::view::View;
use crate::http::console::words::bounded;
use crate::ledger::lists::SecretUse;
use crate::outbox::LaneConfig;
use crate::outbox::store::{AttemptVerdict, Filter, NoticeState};
use crate::statistics::store::Bounded;

messages! {
    LEAD: "配置文件中的现状。修改请编辑配置文件并重启网关。", "What the configuration says. To change it, edit the file and restart the gateway.";
    INTERFACES: "接口", "Interfaces";
    INTERFACES_LEAD: "点开可看字段说明、示例与试发。", "Open one for its fields, examples and a form to try it.";
    INBOUND: "平台调用我方", "calls to us";
    OUTBOUND_WAY: "我方调用平台", "calls of ours";
    PUSHED: "推送给我方系统", "to our systems";
    NAME: "名称", "Name";
    WAY: "方向", "Direction";
    SCOPE: "代号", "Id";
    METHOD: "方法名或路径", "Method or path";
    PARTNERS: "合作方", "Partners";
    ID: "代号", "Id";
    APP_KEY: "app_key", "app_key";
    SIGN_METHODS: "签名方法", "Sign methods";
    WINDOW: "时间戳允许偏差", "Timestamp window";
    SECONDS: "{} 秒", "{} s";
    SYNC: "同步退保", "Surrender sync";
    SECRETS: "密钥", "Secrets";
    SECRET: "第 {} 个 ••••••••", "secret {} ••••••••";
    SHARE: "{}%（{} 次），最近 {}", "{}% ({} calls), last {}";
    UNUSED: "近 {} 条报文里没有用到", "not used in the last {} messages";
    STEADY: "没有在轮换密钥。", "No rotation is under way.";
    ROTATING: "正在轮换：两个密钥都有效。旧密钥一段时间没有调用后，即可从配置中删除。", "A rotation is under way: both secrets are live. Once the old one has had no call for a while, drop it from the configuration.";
    READY: "可以完成轮换：近 {} 条报文里只用到第 {} 个。", "The rotation can be completed: in the last {} messages only secret {} was used.";
    SPARE: "另有 {} 个旧密钥、{} 个沙箱密钥，只用于解释验签失败。", "Besides, {} previous and {} sandbox secrets, which are only tried when a wrong signature is explained.";
    SOURCES: "渠道", "Policy sources";
    CODE: "代码", "Code";
    ADDRESSES: "来源白名单", "Allowed addresses";
    CERTIFICATES: "客户端证书", "Client certificates";
    HMAC: "HMAC 密钥", "HMAC secrets";
    PLATFORMS: "平台与内部系统", "Platforms and our own systems";
    PLATFORMS_LEAD: "通知发往哪里，近 {} 条通知的情况。", "Where notices go, and how the last {} of each fared.";
    URL: "地址", "Address";
    RATE_IS: "每秒 {} 次，并发 {}", "{} a second, {} at once";
    HEALTH: "状况", "Health";
    OPEN: "待发 / 死信", "Pending / dead";
    LAST: "最近一次", "Last attempt";
    WELL: "正常", "well";
    FAILING: "在重试", "retrying";
    STUCK: "有死信", "dead letters";
    IDLE: "还没有通知", "no notices yet";
    PRODUCTS: "产品", "Products";
    PREFIX: "保单号前缀", "Number prefix";
    RANGES: "保额 / 保费（元）", "Sum insured / premium (yuan)";
    CURRENCIES: "币种", "Currencies";
    SOLD_BY: "可售合作方", "Sold by";
    SOLD_NO_MORE: "已停售", "sold no more";
    DISCREPANCY: "追缴金额不符", "Recovery discrepancy";
    RECORD: "记录", "record";
    REFUSE: "拒绝", "refuse";
    NO_SOURCES: "没有配置渠道", "No policy sources";
    NO_SOURCES_HINT: "收解约通知须配置 [[policy_source]]。", "Rescission notices need a [[policy_source]].";
    NO_PLATFORMS: "没有配置平台", "No platforms";
    NO_PLATFORMS_HINT: "发通知须配置 [[platform]] 或 [[webhook]]。", "Notices need a [[platform]] or a [[webhook]].";
    YES: "是", "yes";
    NO: "否", "no";
}

const PATH: &str = "/console/channels";
/// How many of the newest messages tell which secrets are in use.
const EXAMINED: usize = 2_000;
/// How many of the newest notices tell how a platform fares.
const RECENT: usize = 50;

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route(PATH, get(show))
}

/// How a receiver of notices fares.
struct Health {
    pending: Bounded,
    dead: Bounded,
    /// How the last attempt at any of the newest notices ended.
    last: Option<(Timestamp, AttemptVerdict, String)>,
}

fn health(console: &Console, partner: &str) -> Result<Health, Failure> {
    let of = |state| Filter { partner: Some(partner.to_owned()), state, ..Filter::default() };
    let recent = console.desk.list(&of(None), RECENT)?.items;
    let last = recent.into_iter().filter_map(|notice| {
        let (verdict, detail) = notice.last?;
        Some((notice.closed_at.unwrap_or(notice.created_at), verdict, detail))
    });
    Ok(Health {
        pending: console.desk.count(&of(Some(NoticeState::Pending)))?,
        dead: console.desk.count(&of(Some(NoticeState::Dead)))?,
        last: last.max_by_key(|(at, ..)| *at),
    })
}

async fn show(State(console): State<Arc<Console>>, visit: Visit<need::Viewer>) -> Result<Markup, Failure> {
    let (uses, fares) = console
        .read(|console| {
            let uses = console.lists.secrets_used(EXAMINED)?;
            let fares =
                receivers(console).map(|to| health(console, &to.lane().partner)).collect::<Result<Vec<_>, _>>()?;
            Ok((uses, fares))
        })
        .await?;
    let view = &visit.view;
    let content = html! {
        header.page-head { div { h1 { (view.t(Place::Channels.label())) } p.muted { (view.t(LEAD)) } } }
        (interfaces(view, &console))
        section.stack {
            h2 { (view.t(PARTNERS)) }
            @for partner in &console.config.partners { (one_partner(view, &console, partner, &uses)) }
        }
        (sources(view, &console))
        (platforms(view, &console, &fares))
        (products(view, &console))
    };
    Ok(layout::page(view, Some(Place::Channels), view.t(Place::Channels.label()), &content))
}

/// A receiver of notices.
enum Receiver<'a> {
    Platform(&'a LaneConfig),
    /// Its key and its pace are nobody's setting.
    Webhook(&'a LaneConfig),
}

impl<'a> Receiver<'a> {
    fn lane(&self) -> &'a LaneConfig {
        match self {
            Self::Platform(lane) | Self::Webhook(lane) => lane,
        }
    }
}

fn receivers(console: &Console) -> impl Iterator<Item = Receiver<'_>> {
    let webhooks = console.config.webhooks.iter().map(|webhook| Receiver::Webhook(&webhook.lane));
    console.config.platforms.iter().map(Receiver::Platform).chain(webhooks)
}

fn interfaces(view: &View, console: &Console) -> Markup {
    let columns = [NAME, WAY, SCOPE, METHOD].map(|column| view.t(column));
    let rows = html! {
        @for channel in CHANNELS {
            @for interface in channel.interfaces() {
                @let method = console.config.access.method_of(interface.scope()).unwrap_or(channel.path());
                (interface_row(view, &columns, &format!("{PATH}/{}", interface.scope()),
                    view.label(interface.label()), INBOUND, interface.scope(), method))
            }
        }
        @for interface in OUTBOUND {
            @let kind = interface.kind().as_str();
            @let way = if interface.kind() == NoticeKind::Webhook { PUSHED } else { OUTBOUND_WAY };
            (interface_row(view, &columns, &format!("{PATH}/notices/{kind}"), view.label(interface.label()),
                way, kind, interface.method()))
        }
    };
    html! {
        section.stack {
            h2 { (view.t(INTERFACES)) }
            p.muted { (view.t(INTERFACES_LEAD)) }
            (parts::table(view.t(INTERFACES), &columns, &rows))
        }
    }
}

fn interface_row(
    view: &View,
    columns: &[&str; 4],
    address: &str,
    label: &str,
    way: crate::http::console::language::Message,
    id: &str,
    method: &str,
) -> Markup {
    let [name, direction, scope, called] = columns;
    html! {
        tr data-open=(address) {
            td data-label=(name) { a href=(address) { (label) } }
            td data-label=(direction) { (view.t(way)) }
            td data-label=(scope) { (parts::code(id)) }
            td.wrap data-label=(called) { code { (parts::breakable(method)) } }
        }
    }
}

fn yes_or_no(view: &View, is: bool) -> Markup {
    if is { chip(Tone::Good, view.t(YES)) } else { chip(Tone::Quiet, view.t(NO)) }
}

fn one_partner(view: &View, console: &Console, partner: &Partner, uses: &[SecretUse]) -> Markup {
    let methods: Vec<&str> = partner.sign_methods.iter().map(|method| method.as_str()).collect();
    let of_partner: Vec<&SecretUse> = uses.iter().filter(|one| one.caller == partner.id).collect();
    let facts = parts::fields([
        (view.t(APP_KEY), parts::code(&partner.app_key)),
        (view.t(SIGN_METHODS), html! { (methods.join(", ")) }),
        (view.t(WINDOW), html! { (view.with(SECONDS, &[&partner.timestamp_window_s])) }),
        (view.t(SYNC), yes_or_no(view, console.config.catalogue.wants_surrender_sync(&partner.id))),
    ]);
    html! {
        section.card {
            h3 { (partner.id) }
            (facts)
            (rotation(view, partner.secrets.len(), &of_partner))
            (spare(view, console, &partner.id))
        }
    }
}

/// Which of the secrets are in use, and whether the old one can go.
fn rotation(view: &View, count: usize, uses: &[&SecretUse]) -> Markup {
    let all: u64 = uses.iter().map(|one| one.messages).sum();
    let in_use: Vec<u64> = uses.iter().filter(|one| one.messages > 0).map(|one| one.secret_index).collect();
    let said = match (count, in_use.as_slice()) {
        (0 | 1, _) => view.t(STEADY).to_owned(),
        (_, [only]) => view.with(READY, &[&EXAMINED, &(only + 1)]),
        _ => view.t(ROTATING).to_owned(),
    };
    html! {
        div {
            p.muted { (view.t(SECRETS)) " · " (said) }
            ul.secrets {
                @for index in 0..count {
                    @let found = uses.iter().find(|one| usize::try_from(one.secret_index) == Ok(index));
                    li {
                        span.secret { (view.with(SECRET, &[&(index + 1)])) }
                        " "
                        @match found {
                            Some(one) => { (share(view, one, all)) }
                            None => { span.muted { (view.with(UNUSED, &[&EXAMINED])) } }
                        }
                    }
                }
            }
        }
    }
}

fn share(view: &View, used: &SecretUse, all: u64) -> Markup {
    let percent = (used.messages * 100).checked_div(all).unwrap_or_default();
    let at = baoqiao_domain::time::format_gmt8(used.last_at);
    html! {
        meter min="0" max="100" value=(percent) aria-hidden="true" {}
        " " (view.with(SHARE, &[&percent, &used.messages, &at]))
    }
}

fn spare(view: &View, console: &Console, owner: &str) -> Markup {
    use baoqiao_channels::explain::SpareKind;
    let count =
        |kind| console.config.spare_secrets.iter().filter(|spare| spare.owner == owner && spare.kind == kind).count();
    let (previous, sandbox) = (count(SpareKind::Previous), count(SpareKind::Sandbox));
    html! { @if previous + sandbox > 0 { p.muted { (view.with(SPARE, &[&previous, &sandbox])) } } }
}

fn sources(view: &View, console: &Console) -> Markup {
    let sources = console.config.access.sources();
    let columns = [CODE, ADDRESSES, CERTIFICATES, HMAC].map(|column| view.t(column));
    let rows = html! { @for source in &sources { (source_row(view, &columns, source)) } };
    html! {
        section.stack {
            h2 { (view.t(SOURCES)) }
            @if sources.is_empty() {
                (parts::empty(Icon::Channels, view.t(NO_SOURCES), &html! { (view.t(NO_SOURCES_HINT)) }))
            } @else { (parts::table(view.t(SOURCES), &columns, &rows)) }
        }
    }
}

fn source_row(view: &View, columns: &[&str; 4], source: &SourceAccess) -> Markup {
    let [code, addresses, certificates, hmac] = columns;
    let listed = |items: Vec<String>| items.join(", ");
    html! {
        tr {
            td data-label=(code) { (parts::code(&source.code)) }
            td.wrap data-label=(addresses) { (listed(source.addresses.iter().map(ToString::to_string).collect())) }
            td.wrap data-label=(certificates) {
                (listed(source.client_certificates.iter().map(ToString::to_string).collect()))
            }
            td data-label=(hmac) { (yes_or_no(view, !source.hmac_secrets.is_empty())) }
        }
    }
}

fn platforms(view: &View, console: &Console, fares: &[Health]) -> Markup {
    let columns = [ID, HEALTH, OPEN, URL, LAST].map(|column| view.t(column));
    let rows =
        html! { @for (to, health) in receivers(console).zip(fares) { (platform_row(view, &columns, &to, health)) } };
    html! {
        section.stack {
            h2 { (view.t(PLATFORMS)) }
            @if fares.is_empty() {
                (parts::empty(Icon::Send, view.t(NO_PLATFORMS), &html! { (view.t(NO_PLATFORMS_HINT)) }))
            } @else {
                p.muted { (view.with(PLATFORMS_LEAD, &[&RECENT])) }
                (parts::table(view.t(PLATFORMS), &columns, &rows))
            }
        }
    }
}

fn platform_row(view: &View, columns: &[&str; 5], to: &Receiver<'_>, health: &Health) -> Markup {
    let [id, fares, open, url, last] = columns;
    let lane = to.lane();
    let (tone, word) = match (&health.last, health.dead.count) {
        (_, 1..) => (Tone::Bad, STUCK),
        (None, _) => (Tone::Quiet, IDLE),
        (Some((_, AttemptVerdict::Delivered, _)), _) => (Tone::Good, WELL),
        (Some(_), _) if health.pending.count > 0 => (Tone::Warn, FAILING),
        (Some(_), _) => (Tone::Good, WELL),
    };
    let address = |state: &str| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("partner", &lane.partner).append_pair("state", state);
        format!("/console/deliveries?{}", query.finish())
    };
    html! {
        tr {
            td data-label=(id) { (parts::code(&lane.partner)) }
            td data-label=(fares) { (chip(tone, view.t(word))) }
            td data-label=(open) {
                a href=(address("pending")) { (bounded(health.pending)) }
                " / "
                a href=(address("dead")) { (bounded(health.dead)) }
            }
            td.address data-label=(url) {
                (parts::breakable(&lane.url))
                @if let Receiver::Platform(lane) = to {
                    span.below.muted {
                        (view.t(APP_KEY)) " " (parts::code(&lane.app.app_key)) " · "
                        (view.with(RATE_IS, &[&lane.calls_per_second, &lane.concurrency]))
                    }
                }
            }
            td.detail data-label=(last) { @if let Some((_, _, detail)) = &health.last { (detail) } }
        }
    }
}

fn products(view: &View, console: &Console) -> Markup {
    let columns = [NAME, PREFIX, RANGES, CURRENCIES, SOLD_BY, DISCREPANCY].map(|column| view.t(column));
    let rows = html! { @for product in console.config.catalogue.products() { (product_row(view, &columns, product)) } };
    html! { section.stack { h2 { (view.t(PRODUCTS)) } (parts::table(view.t(PRODUCTS), &columns, &rows)) } }
}

fn product_row(view: &View, columns: &[&str; 6], product: &Product) -> Markup {
    let [name, prefix, ranges, currencies, sold_by, discrepancy] = columns;
    let range =
        |range: &baoqiao_domain::product::AmountRange| format!("{} – {}", range.min.grouped(), range.max.grouped());
    let currency: Vec<&str> = product.currencies.iter().map(|currency| currency.code()).collect();
    let policy = match product.recovery_discrepancy {
        DiscrepancyPolicy::Record => RECORD,
        DiscrepancyPolicy::Refuse => REFUSE,
    };
    html! {
        tr {
            td data-label=(name) { (product.name) span.below { (parts::code(&product.code)) } }
            td data-label=(prefix) { (parts::code(&product.prefix.to_string())) }
            td data-label=(ranges) {
                (range(&product.sum_insured_cny))
                span.below { (range(&product.premium_cny)) }
            }
            td.wrap data-label=(currencies) { (currency.join(", ")) }
            td.wrap data-label=(sold_by) {
                @if product.on_sale { (product.partners.join(", ")) } @else { span.muted { (view.t(SOLD_NO_MORE)) } }
            }
            td data-label=(discrepancy) { (view.t(policy)) }
        }
    }
}
