//! `[channels.<channel>]`: how patient a channel's platforms are, and by which names they call its interfaces.

use std::collections::HashMap;
use std::time::Duration;

use baoqiao_channels::channel::Channel;

use super::methods;
use super::reader::Section;

/// What the channels' sections say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ChannelsConfig {
    /// Method names to interface scopes, each name for one interface.
    pub(super) methods: HashMap<String, &'static str>,
    /// How long a call may wait for the ledger, by the channel's name.
    pub(super) deadlines: HashMap<&'static str, Duration>,
}

/// Reads the sections; a channel without a deadline of its own has that of the server.
pub(super) fn read(section: &Section<'_>, channels: &[&dyn Channel], deadline: Duration) -> ChannelsConfig {
    let default_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
    let mut deadlines = HashMap::new();
    let mut named = Vec::new();
    for channel in channels {
        section.section(channel.name(), |section| {
            deadlines.insert(channel.name(), section.duration_ms_or("deadline_ms", default_ms));
            named.extend(methods::of_channel(section, *channel));
        });
    }
    ChannelsConfig { methods: methods::distinct(named), deadlines }
}
