//! The figures of the overview: tiles, charts, and the interfaces one by one.

use jiff::Timestamp;
use maud::{Markup, html};

use baoqiao_domain::time::GMT8;

use crate::http::console::chart::{Bar, Chart, Pieces, chart};
use crate::http::console::language::messages;
use crate::http::console::parts;
use crate::http::console::traffic::scope_label;
use crate::http::console::view::View;
use crate::http::console::words;
use crate::statistics::{Bin, Calls, HourFigures, InterfaceFigures, Snapshot};

messages! {
    TODAY: "今日出单", "Issued today";
    PREMIUM: "今日保费（元）", "Premium (CNY)";
    SUCCESS: "成功率", "Success";
    LAST_HOUR: "最近一小时", "last hour";
    CALLS: "{} 次", "{} calls";
    P99: "p99 时延", "p99 latency";
    P50: "p50 {}", "p50 {}";
    BACKLOG: "待投递通知", "Notices waiting";
    OLDEST: "最早的已等 {}", "the oldest for {}";
    NONE_WAITS: "没有积压", "none behind";
    DEAD: "死信", "Dead letters";
    NO_DEAD: "没有", "none";
    NEED_PERSON: "等待人工", "wait for a person";
    COUNTING: "正在统计…", "counting…";
    AS_OF: "截至 {}", "as of {}";
    SINCE_MIDNIGHT: "自零点（GMT+8）", "since 0:00 GMT+8";
    CHART_ISSUED: "24 小时出单量，按小时", "Policies issued in 24 hours, by the hour";
    CHART_ISSUED_BAR: "{} 起：{} 单，保费 {} 元", "from {}: {} policies, premium {} CNY";
    CHART_CALLS: "24 小时调用量，按半小时", "Calls in 24 hours, by the half hour";
    CHART_CALLS_BAR: "{} 起：成功 {}，拒绝 {}，未受理 {}", "from {}: {} succeeded, {} refused, {} turned away";
    CHART_LATENCY: "24 小时时延，按半小时", "Latency in 24 hours, by the half hour";
    CHART_LATENCY_BAR: "{} 起：p50 {}，p99 {}", "from {}: p50 {}, p99 {}";
    SUCCEEDED: "成功", "succeeded";
    REFUSED: "拒绝", "refused";
    DISBELIEVED: "未受理", "turned away";
    NOW: "现在", "now";
    INTERFACES: "各接口，最近一小时", "Interfaces, last hour";
    INTERFACE: "接口", "Interface";
    FIRST: "首次受理", "Carried out";
    AGAIN: "重复答复", "Answered again";
    CONFLICTING: "冲突", "Conflicts";
    DAY: "24 小时", "24 hours";
    UNKNOWN_INTERFACE: "{}（未识别的接口）", "{} (no known interface)";
    QUIET: "24 小时内没有调用", "No calls in 24 hours";
    QUIET_HINT: "平台第一次调用后会出现在这里。联调命令：baoqiao simulate qimen --help", "They appear here after a platform's first call. To make one: baoqiao simulate qimen --help";
}

/// An interface's name for people.
pub(super) fn label(view: &View, interface: &str) -> String {
    match scope_label(interface) {
        Some(label) => view.label(label).to_owned(),
        None => view.with(UNKNOWN_INTERFACE, &[&interface]),
    }
}

fn clock(moment: Timestamp) -> String {
    GMT8.to_datetime(moment).strftime("%H:%M").to_string()
}

fn tile(name: &str, value: &Markup, hint: &str) -> Markup {
    html! { div.tile { p.tile-name { (name) } p.tile-value { (value) } p.tile-hint { (hint) } } }
}

pub(super) fn tiles(view: &View, snapshot: &Snapshot) -> Markup {
    let Snapshot { issued, interfaces, backlog, .. } = snapshot;
    let mut hour = Calls::default();
    for interface in interfaces {
        hour.add(&interface.hour);
    }
    let slowest = interfaces.iter().filter_map(|interface| Some((interface.p99?, interface.p50?))).max();
    let issued_hint = if issued.is_counting {
        view.t(COUNTING).to_owned()
    } else if issued.as_of < snapshot.at {
        view.with(AS_OF, &[&clock(issued.as_of)])
    } else {
        view.t(SINCE_MIDNIGHT).to_owned()
    };
    let dash = || html! { "—" };
    let text = |text: String| html! { (text) };
    let oldest = backlog.oldest.map(|oldest| words::age(view, snapshot.at.duration_since(oldest)));
    let waits = oldest.map_or_else(|| view.t(NONE_WAITS).to_owned(), |age| view.with(OLDEST, &[&age]));
    let dead = if backlog.dead.count > 0 { view.t(NEED_PERSON) } else { view.t(NO_DEAD) };
    let success = words::share(hour.succeeded(), hour.total()).map_or_else(dash, text);
    let p50 = slowest.map_or_else(|| view.t(LAST_HOUR).to_owned(), |(_, p50)| view.with(P50, &[&words::took(p50)]));
    let premium = html! { (issued.today_premium.grouped()) };
    html! {
        section.tiles {
            (tile(view.t(TODAY), &html! { (words::count(issued.today_count)) }, &issued_hint))
            (tile(view.t(PREMIUM), &premium, &issued_hint))
            (tile(view.t(SUCCESS), &success, &format!("{} · {}", view.t(LAST_HOUR), view.with(CALLS, &[&words::count(hour.total())]))))
            (tile(view.t(P99), &slowest.map_or_else(dash, |(p99, _)| text(words::took(p99))), &p50))
            (tile(view.t(BACKLOG), &html! { (words::bounded(backlog.pending)) }, &waits))
            (tile(view.t(DEAD), &html! { (words::bounded(backlog.dead)) }, dead))
        }
    }
}

/// The marks below a chart: five times, the last of them now.
fn axis(view: &View, moments: &[Timestamp]) -> Vec<String> {
    let quarters = moments.chunks(moments.len().div_ceil(4).max(1));
    let marks = quarters.filter_map(|quarter| quarter.first()).map(|moment| clock(*moment));
    marks.chain([view.t(NOW).to_owned()]).collect()
}

pub(super) fn charts(view: &View, snapshot: &Snapshot) -> Markup {
    html! {
        section.charts {
            (issued_chart(view, &snapshot.issued.hours))
            (calls_chart(view, &snapshot.bins))
            (latency_chart(view, &snapshot.bins))
        }
    }
}

fn issued_chart(view: &View, hours: &[HourFigures]) -> Markup {
    let bar = |hour: &HourFigures| Bar {
        title: view.with(CHART_ISSUED_BAR, &[&clock(hour.from), &words::count(hour.count), &hour.premium.grouped()]),
        values: vec![hour.count],
    };
    let moments: Vec<Timestamp> = hours.iter().map(|hour| hour.from).collect();
    chart(&Chart {
        title: view.t(CHART_ISSUED),
        legend: &[],
        bars: &hours.iter().map(bar).collect::<Vec<_>>(),
        pieces: Pieces::Stacked,
        top: &words::count,
        axis: &axis(view, &moments),
    })
}

fn calls_chart(view: &View, bins: &[Bin]) -> Markup {
    let bar = |bin: &Bin| {
        let values = [bin.calls.succeeded(), bin.calls.conflicting + bin.calls.refused, bin.calls.disbelieved];
        let [succeeded, refused, disbelieved] = values.map(words::count);
        let title = view.with(CHART_CALLS_BAR, &[&clock(bin.from), &succeeded, &refused, &disbelieved]);
        Bar { title, values: values.to_vec() }
    };
    let moments: Vec<Timestamp> = bins.iter().map(|bin| bin.from).collect();
    chart(&Chart {
        title: view.t(CHART_CALLS),
        legend: &[view.t(SUCCEEDED), view.t(REFUSED), view.t(DISBELIEVED)],
        bars: &bins.iter().map(bar).collect::<Vec<_>>(),
        pieces: Pieces::Stacked,
        top: &words::count,
        axis: &axis(view, &moments),
    })
}

fn latency_chart(view: &View, bins: &[Bin]) -> Markup {
    let us = |duration: Option<std::time::Duration>| {
        u64::try_from(duration.unwrap_or_default().as_micros()).unwrap_or(u64::MAX)
    };
    let told = |duration: Option<std::time::Duration>| duration.map_or_else(|| "—".to_owned(), words::took);
    let bar = |bin: &Bin| Bar {
        title: view.with(CHART_LATENCY_BAR, &[&clock(bin.from), &told(bin.p50), &told(bin.p99)]),
        values: vec![us(bin.p99), us(bin.p50)],
    };
    let moments: Vec<Timestamp> = bins.iter().map(|bin| bin.from).collect();
    chart(&Chart {
        title: view.t(CHART_LATENCY),
        legend: &["p99", "p50"],
        bars: &bins.iter().map(bar).collect::<Vec<_>>(),
        pieces: Pieces::Overlaid,
        top: &|us| words::took(std::time::Duration::from_micros(us)),
        axis: &axis(view, &moments),
    })
}

pub(super) fn interfaces(view: &View, snapshot: &Snapshot) -> Markup {
    if snapshot.interfaces.is_empty() {
        let hint = html! { (view.t(QUIET_HINT)) };
        let empty = parts::empty(crate::http::console::icons::Icon::Channels, view.t(QUIET), &hint);
        return parts::card(view.t(INTERFACES), &empty);
    }
    let columns = [INTERFACE, SUCCESS, FIRST, AGAIN, CONFLICTING, REFUSED, DISBELIEVED].map(|column| view.t(column));
    let [name, success, first, again, conflicting, refused, disbelieved] = columns;
    let all = [name, success, "p50", "p99", first, again, conflicting, refused, disbelieved, view.t(DAY)];
    let row = |interface: &InterfaceFigures| {
        let InterfaceFigures { hour, day, p50, p99, .. } = interface;
        let took = |duration: Option<std::time::Duration>| {
            parts::or_none(view, duration.map(|took| html! { (words::took(took)) }))
        };
        let share = words::share(hour.succeeded(), hour.total()).map(|share| html! { (share) });
        html! {
            tr {
                td data-label=(name) { (label(view, &interface.interface)) }
                td data-label=(success) { (parts::or_none(view, share)) }
                td data-label="p50" { (took(*p50)) }
                td data-label="p99" { (took(*p99)) }
                td data-label=(first) { (words::count(hour.accepted)) }
                td data-label=(again) { (words::count(hour.replayed)) }
                td data-label=(conflicting) { (words::count(hour.conflicting)) }
                td data-label=(refused) { (words::count(hour.refused)) }
                td data-label=(disbelieved) { (words::count(hour.disbelieved)) }
                td data-label=(view.t(DAY)) { (words::count(day.total())) }
            }
        }
    };
    let rows = html! { @for interface in &snapshot.interfaces { (row(interface)) } };
    parts::card(view.t(INTERFACES), &parts::table(view.t(INTERFACES), &all, &rows))
}
