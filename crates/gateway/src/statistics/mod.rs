//! How the gateway does, in figures: calls and their latency, what was issued, what waits.
//!
//! Nothing of it costs a call more than a count in memory. Calls are counted where they are answered ([`Meter`]), a minute
//! at a time, and each minute that is over is written down beside the ledger, unsynced ([`Keeper`]): a crash loses the
//! calls of its minute from the charts, and nothing from the ledger. What was issued is read from the ledger itself,
//! onwards from where the last look ended ([`Figures`]), so that those sums are the ledger's own; where a look finds more
//! than it has time for, the rest is counted beside it ([`Counter`]).

mod counter;
mod figures;
mod issued;
mod keeper;
mod latency;
mod meter;
pub mod store;

pub use counter::Counter;
pub use figures::{Bin, Figures, InterfaceFigures, Snapshot};
pub use issued::{HourFigures, Issued, IssuedFigures};
pub use keeper::Keeper;
pub use latency::Latency;
pub use meter::{Calls, Ending, Meter, MinuteRow};
