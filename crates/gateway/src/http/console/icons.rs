//! The pictures of the pages, drawn on a grid of 20.

use maud::{Markup, html};

/// A picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Icon {
    /// The overview.
    Gauge,
    /// A search.
    Search,
    /// A policy.
    Policy,
    /// Messages.
    Messages,
    /// Deliveries.
    Send,
    /// Conflicts.
    Conflict,
    /// What came back.
    Recovery,
    /// Channels and products.
    Channels,
    /// Users.
    Users,
    /// The audit log.
    Audit,
    /// Something that a person must look at.
    Alert,
    /// All is well.
    Check,
    /// Light or dark.
    Theme,
    /// The other language.
    Language,
    /// The menu.
    Menu,
    /// Goes away.
    Out,
    /// To be gone back to.
    Back,
}

impl Icon {
    fn path(self) -> &'static str {
        match self {
            Self::Gauge => "M3 14a7 7 0 1 1 14 0M10 14l3.5-4.5M3 16.5h14",
            Self::Search => "M9 3.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11zM13 13l4 4",
            Self::Policy => "M5 2.5h7l3.5 3.5v11.5h-10.5zM12 2.5v3.5h3.5M7.5 10h5.5M7.5 13.5h5.5",
            Self::Messages => "M3 4.5h14v9h-8l-3.5 3v-3h-2.5zM6.5 7.5h7M6.5 10.5h4.5",
            Self::Send => "M17 3l-14 6l5.5 2.5l2.5 5.5zM17 3l-8.5 8.5",
            Self::Conflict => {
                "M4 3.5v4a3 3 0 0 0 3 3h6a3 3 0 0 1 3 3v3M16 3.5v4M4 16.5v-4M13.5 5.5l2.5-2.5l2.5 2.5M1.5 14.5l2.5 2.5l2.5-2.5"
            }
            Self::Recovery => "M4 8.5h9a4 4 0 0 1 0 8h-4M7.5 5l-3.5 3.5l3.5 3.5",
            Self::Channels => "M3 5h14M3 10h14M3 15h14M7 3.5v3M13 8.5v3M6 13.5v3",
            Self::Users => {
                "M7.5 3.5a3 3 0 1 1 0 6a3 3 0 0 1 0-6zM2 16.5c0-3 2.5-4.5 5.5-4.5s5.5 1.5 5.5 4.5M13.5 4a2.7 2.7 0 0 1 0 5.2M15 12.3c2 .6 3 2 3 4.2"
            }
            Self::Audit => "M4 2.5h12v15l-3-1.5l-3 1.5l-3-1.5l-3 1.5zM7 6.5h6M7 9.5h6M7 12.5h3",
            Self::Alert => "M10 3l7.5 13.5h-15zM10 8v4M10 14v.5",
            Self::Check => "M10 2.5a7.5 7.5 0 1 1 0 15a7.5 7.5 0 0 1 0-15zM6.5 10.5l2.5 2.5l4.5-5.5",
            Self::Theme => "M10 2.5a7.5 7.5 0 1 1 0 15zM10 2.5a7.5 7.5 0 0 0 0 15",
            Self::Language => {
                "M10 2.5a7.5 7.5 0 1 1 0 15a7.5 7.5 0 0 1 0-15zM2.5 10h15M10 2.5c5 5 5 10 0 15c-5-5-5-10 0-15"
            }
            Self::Menu => "M3 5.5h14M3 10h14M3 14.5h14",
            Self::Out => "M8 3.5h-4.5v13h4.5M7.5 10h10M14 6.5l3.5 3.5l-3.5 3.5",
            Self::Back => "M12 4l-6 6l6 6",
        }
    }
}

/// The picture, of the colour of the text around it; it says nothing to those who hear the page.
pub(super) fn icon(icon: Icon) -> Markup {
    html! {
        svg class="icon" viewBox="0 0 20 20" aria-hidden="true" {
            path d=(icon.path()) {}
        }
    }
}
