//! Instants inside, GMT+8 at the edges.
//!
//! Every protocol here writes local times of China without saying so (protocols.md, "What real traffic looks
//! like"); a fixed offset, not a time zone, is what the platforms mean, so daylight saving of 1991 plays no part.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// China's offset, the one that all documents mean.
pub const GMT8: Offset = Offset::constant(8);

/// Reads `yyyy-MM-dd HH:mm:ss` in GMT+8; nothing shorter, longer or laxer.
pub fn parse_gmt8(text: &str) -> Option<Timestamp> {
    let shape = b"dddd-dd-dd dd:dd:dd";
    let fits = text.len() == shape.len()
        && text.bytes().zip(shape).all(|(byte, form)| match form {
            b'd' => byte.is_ascii_digit(),
            literal => byte == *literal,
        });
    // jiff reads a leap second's `:60` as `:59`; here it is a mistake.
    if !fits || text.ends_with("60") {
        return None;
    }
    let local: DateTime = text.parse().ok()?;
    GMT8.to_timestamp(local).ok()
}

/// Writes `yyyy-MM-dd HH:mm:ss` in GMT+8; parts of a second are cut off.
pub fn format_gmt8(instant: Timestamp) -> String {
    let t = GMT8.to_datetime(instant);
    format!("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", t.year(), t.month(), t.day(), t.hour(), t.minute(), t.second())
}

/// The day in GMT+8 as `yyyymmdd`, as policy numbers carry it.
pub fn compact_day_gmt8(instant: Timestamp) -> String {
    let day = GMT8.to_datetime(instant).date();
    format!("{:04}{:02}{:02}", day.year(), day.month(), day.day())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_eight_hours_ahead_of_utc() {
        let instant = parse_gmt8("2021-08-04 15:23:28").unwrap();
        assert_eq!(instant.to_string(), "2021-08-04T07:23:28Z");
        assert_eq!(format_gmt8(instant), "2021-08-04 15:23:28");
    }

    #[test]
    fn the_day_turns_at_midnight_in_china() {
        let before: Timestamp = "2021-12-31T15:59:59.999Z".parse().unwrap();
        let after: Timestamp = "2021-12-31T16:00:00Z".parse().unwrap();
        assert_eq!(compact_day_gmt8(before), "20211231");
        assert_eq!(compact_day_gmt8(after), "20220101");
    }

    #[test]
    fn only_the_documents_form_is_a_time() {
        for text in [
            "",
            "2021-08-04",
            "2021-08-04T15:23:28",
            "2021-08-04 15:23",
            "2021-08-04 15:23:28.5",
            "2021-08-04 15: 23: 28",
            "2021-02-30 00:00:00",
            "2021-08-04 24:00:00",
            "2021-08-04 15:23:60",
            "２021-08-04 15:23:28",
            "2021/08/04 15:23:28",
        ] {
            assert_eq!(parse_gmt8(text), None, "{text:?}");
        }
    }
}
