//! The frame of every page: search and preferences above, the places at the side.

use maud::{DOCTYPE, Markup, html};

use super::assets;
use super::icons::{Icon, icon};
use super::language::{Message, messages};
use super::order::FORM_TOKEN;
use super::view::{Theme, View};
use crate::console::role::Role;

messages! {
    PRODUCT: "保桥", "Baoqiao";
    CONSOLE: "控制台", "Console";
    SKIP: "跳到正文", "Skip to content";
    PLACES: "主导航", "Main navigation";
    MENU: "菜单", "Menu";
    WORK: "业务", "Work";
    TRAFFIC: "往来", "Traffic";
    MANAGE: "管理", "Management";
    OVERVIEW: "总览", "Overview";
    FIND: "查保单", "Find";
    RECOVERIES: "追缴", "Recoveries";
    MESSAGES: "报文", "Messages";
    DELIVERIES: "通知投递", "Deliveries";
    CONFLICTS: "幂等冲突", "Conflicts";
    CHANNELS: "渠道与产品", "Channels";
    USERS: "用户", "Users";
    AUDIT: "审计日志", "Audit log";
    SEARCH: "保单号、幂等号、订单号、姓名、证件号…", "Policy number, identifier, order, name, ID number…";
    SEARCH_LABEL: "查找任何内容", "Find anything";
    THEME_SYSTEM: "配色：跟随系统", "Colours: as the system";
    THEME_LIGHT: "配色：浅色", "Colours: light";
    THEME_DARK: "配色：深色", "Colours: dark";
    SIGN_OUT: "退出登录", "Sign out";
    ACCOUNT: "我的账户", "My account";
    HELP: "键盘快捷键", "Keyboard shortcuts";
    HELP_SEARCH: "查找", "Find";
    HELP_DOWN: "列表中下一项", "Next in a list";
    HELP_UP: "列表中上一项", "Previous in a list";
    HELP_OPEN: "打开选中的一项", "Open what is selected";
    HELP_HELP: "显示本帮助", "Show this help";
    HELP_GO: "到总览", "To the overview";
    CLOSE: "关闭", "Close";
    ROLE_VIEWER: "只读", "Viewer";
    ROLE_OPERATOR: "操作员", "Operator";
    ROLE_ADMIN: "管理员", "Admin";
}

/// A place that the navigation leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// How things are.
    Overview,
    /// Find anything.
    Find,
    /// What was recovered.
    Recoveries,
    /// The traffic record.
    Messages,
    /// The outbox.
    Deliveries,
    /// Identifiers that came twice with different content.
    Conflicts,
    /// Channels and products.
    Channels,
    /// Users.
    Users,
    /// The audit log.
    Audit,
}

/// The navigation, in groups. A place stands here once it has a page.
const NAVIGATION: [(Message, &[Place]); 3] = [
    (WORK, &[Place::Overview, Place::Find, Place::Recoveries]),
    (TRAFFIC, &[Place::Messages, Place::Deliveries, Place::Conflicts]),
    (MANAGE, &[Place::Channels, Place::Users, Place::Audit]),
];

impl Place {
    fn path(self) -> &'static str {
        match self {
            Self::Overview => "/console",
            Self::Find => "/console/find",
            Self::Recoveries => "/console/recoveries",
            Self::Messages => "/console/messages",
            Self::Deliveries => "/console/deliveries",
            Self::Conflicts => "/console/conflicts",
            Self::Channels => "/console/channels",
            Self::Users => "/console/users",
            Self::Audit => "/console/audit",
        }
    }

    fn icon(self) -> Icon {
        match self {
            Self::Overview => Icon::Gauge,
            Self::Find => Icon::Search,
            Self::Recoveries => Icon::Recovery,
            Self::Messages => Icon::Messages,
            Self::Deliveries => Icon::Send,
            Self::Conflicts => Icon::Conflict,
            Self::Channels => Icon::Channels,
            Self::Users => Icon::Users,
            Self::Audit => Icon::Audit,
        }
    }

    /// Its name.
    pub(super) fn label(self) -> Message {
        match self {
            Self::Overview => OVERVIEW,
            Self::Find => FIND,
            Self::Recoveries => RECOVERIES,
            Self::Messages => MESSAGES,
            Self::Deliveries => DELIVERIES,
            Self::Conflicts => CONFLICTS,
            Self::Channels => CHANNELS,
            Self::Users => USERS,
            Self::Audit => AUDIT,
        }
    }

    fn role(self) -> Role {
        match self {
            Self::Users | Self::Audit => Role::Admin,
            _ => Role::Viewer,
        }
    }
}

/// A role's name.
pub(super) fn role(view: &View, role: Role) -> &'static str {
    view.t(match role {
        Role::Viewer => ROLE_VIEWER,
        Role::Operator => ROLE_OPERATOR,
        Role::Admin => ROLE_ADMIN,
    })
}

/// A whole page. `place` is where in the navigation it belongs.
pub(super) fn page(view: &View, place: Option<Place>, title: &str, content: &Markup) -> Markup {
    document(
        view,
        title,
        &html! {
            a.skip href="#main" { (view.t(SKIP)) }
            (top(view))
            div.frame {
                @if view.user.is_some() { (side(view, place)) }
                main #main tabindex="-1" { (content) }
            }
            (help(view))
        },
    )
}

/// A page without the frame, for those who have not signed in.
pub(super) fn bare(view: &View, title: &str, content: &Markup) -> Markup {
    document(
        view,
        title,
        &html! {
            div.bare {
                header.bare-top { (brand(view)) div.spacer {} (preferences(view)) }
                main #main tabindex="-1" { (content) }
            }
        },
    )
}

fn document(view: &View, title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(view.language.tag()) data-theme=(view.theme.as_str()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // No styles of its own in the page, no text run as code, and nothing kept of pages in the browser.
                meta name="htmx-config"
                    content=r#"{"includeIndicatorStyles":false,"allowEval":false,"historyCacheSize":0,"selfRequestsOnly":true}"#;
                title { (title) " · " (view.t(PRODUCT)) }
                link rel="icon" href=(assets::address("icon.svg")) type="image/svg+xml";
                link rel="stylesheet" href=(assets::address("console.css"));
                script src=(assets::address("htmx.js")) defer {}
                script src=(assets::address("console.js")) defer {}
            }
            body { (body) }
        }
    }
}

fn brand(view: &View) -> Markup {
    html! {
        a.brand href="/console" {
            svg.brand-mark viewBox="0 0 32 32" aria-hidden="true" {
                rect width="32" height="32" rx="8" {}
                path d="M5 21.5h22M8 21.5v-4M24 21.5v-4M5 17.5c6 0 6-7 11-7s5 7 11 7M12.5 21.5v-8M19.5 21.5v-8" {}
            }
            span.brand-name { (view.t(PRODUCT)) }
            span.brand-what { (view.t(CONSOLE)) }
        }
    }
}

fn top(view: &View) -> Markup {
    html! {
        header.top {
            @if view.user.is_some() {
                button.icon-button.menu-button type="button" data-toggles="side" aria-controls="side" aria-expanded="false"
                    aria-label=(view.t(MENU)) { (icon(Icon::Menu)) }
            }
            (brand(view))
            @if view.user.is_some() {
                form.search role="search" method="post" action="/console/find" {
                    (form_token(view))
                    label.hidden for="search" { (view.t(SEARCH_LABEL)) }
                    (icon(Icon::Search))
                    input #search type="search" name="wanted" placeholder=(view.t(SEARCH)) autocomplete="off"
                        spellcheck="false" maxlength="256" required;
                    kbd aria-hidden="true" { "/" }
                }
            } @else { div.spacer {} }
            (preferences(view))
        }
    }
}

fn preferences(view: &View) -> Markup {
    let next = Theme::ALL.iter().cycle().skip_while(|theme| **theme != view.theme).nth(1).copied().unwrap_or_default();
    let theme = view.t(match view.theme {
        Theme::System => THEME_SYSTEM,
        Theme::Light => THEME_LIGHT,
        Theme::Dark => THEME_DARK,
    });
    let back: String = form_urlencoded::byte_serialize(view.address.as_bytes()).collect();
    let address = |what: &str, value: &str| format!("/console/preferences?{what}={value}&back={back}");
    html! {
        div.preferences {
            a.quiet-button href=(address("language", view.language.other().tag()))
                lang=(view.language.other().tag()) title=(view.language.other().own_name()) {
                (icon(Icon::Language)) span.wide { (view.language.other().own_name()) }
            }
            a.icon-button href=(address("theme", next.as_str())) aria-label=(theme) title=(theme) { (icon(Icon::Theme)) }
            @if let Some(user) = &view.user {
                a.quiet-button href="/console/account" title=(view.t(ACCOUNT)) {
                    span.avatar aria-hidden="true" { (initial(&user.name)) }
                    span.wide { (user.name) }
                }
                form method="post" action="/console/sign-out" {
                    (form_token(view))
                    button.icon-button type="submit" aria-label=(view.t(SIGN_OUT)) title=(view.t(SIGN_OUT)) {
                        (icon(Icon::Out))
                    }
                }
            }
        }
    }
}

/// The letter that stands for somebody, past what tells who vouches for them.
fn initial(name: &str) -> String {
    let own = name.split_once(':').map_or(name, |(_, own)| own);
    own.chars().next().unwrap_or('?').to_uppercase().to_string()
}

fn side(view: &View, here: Option<Place>) -> Markup {
    html! {
        nav.side #side aria-label=(view.t(PLACES)) {
            @for (group, places) in NAVIGATION {
                @if places.iter().any(|place| view.may(place.role())) {
                    p.side-group { (view.t(group)) }
                    ul {
                        @for place in places.iter().filter(|place| view.may(place.role())) {
                            li {
                                a href=(place.path()) aria-current=[(here == Some(*place)).then_some("page")] {
                                    (icon(place.icon())) (view.t(place.label()))
                                }
                            }
                        }
                    }
                }
            }
            button.side-help type="button" commandfor="help" command="show-modal" {
                kbd { "?" } (view.t(HELP))
            }
        }
    }
}

fn help(view: &View) -> Markup {
    let keys =
        [("/", HELP_SEARCH), ("j", HELP_DOWN), ("k", HELP_UP), ("Enter", HELP_OPEN), ("g", HELP_GO), ("?", HELP_HELP)];
    html! {
        dialog #help aria-labelledby="help-title" {
            h2 #help-title { (view.t(HELP)) }
            dl.keys { @for (key, what) in keys { dt { kbd { (key) } } dd { (view.t(what)) } } }
            form method="dialog" { button.button type="submit" { (view.t(CLOSE)) } }
        }
    }
}

/// What binds a form to the session; every form has it.
pub(super) fn form_token(view: &View) -> Markup {
    html! { input type="hidden" name=(FORM_TOKEN) value=(view.form_token); }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_an_initial_of_their_own() {
        assert_eq!((initial("li"), initial("sso:wang:2"), initial("")), ("L".into(), "W".into(), "?".into()));
    }

    #[test]
    fn every_place_is_told_apart() {
        let places: Vec<Place> = NAVIGATION.iter().flat_map(|(_, places)| places.iter().copied()).collect();
        for place in &places {
            assert_eq!(places.iter().filter(|other| other.path() == place.path()).count(), 1, "{place:?}");
        }
    }
}
