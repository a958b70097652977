//! The wire of each channel, apart from how bytes travel and where anything is kept.
//!
//! One folder a channel family, one file an interface; the traits they fill are in [`channel`]. Adding an
//! interface is a file, its line in the folder's `mod.rs` and its golden cases.
#![warn(clippy::float_arithmetic)]

pub mod access;
pub mod avatar;
pub mod channel;
pub mod describe;
mod document;
pub mod explain;
pub mod fields;
pub mod origin;
pub mod outbound;
pub mod phrases;

pub mod qimen;
pub mod rule;
pub mod sign_method;
pub mod top;
pub mod webhook;

use channel::Channel;
use outbound::Outbound;

/// Every channel through which platforms call the gateway.
pub const CHANNELS: &[&dyn Channel] = &[&qimen::Qimen, &avatar::Avatar];

/// Every interface by which the gateway calls platforms: one for each kind of notice.
pub const OUTBOUND: &[&dyn Outbound] = &[&top::SurrenderSync, &top::AuctionResult, &webhook::Webhook];

/// Whether messages of that channel by that caller are signed with a secret, as far as the present access tells; not where it is no channel of platforms.
pub fn signs(channel: &str, caller: &str, access: &access::Access) -> bool {
    CHANNELS.iter().any(|known| known.name() == channel && known.signs(caller, access))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_interface_has_a_name_of_its_own_in_both_languages() {
        let inbound = CHANNELS.iter().flat_map(|channel| channel.interfaces()).map(|interface| interface.label());
        let labels: Vec<_> = inbound.chain(OUTBOUND.iter().map(|interface| interface.label())).collect();
        assert!(labels.iter().all(|label| label.en.is_ascii() && !label.zh.is_ascii()), "{labels:?}");
        let names: BTreeSet<_> = labels.iter().flat_map(|label| [label.zh, label.en]).collect();
        assert_eq!(names.len(), 2 * labels.len(), "{labels:?}");
    }
}
