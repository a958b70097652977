//! QR codes as vector paths.

use qrcode::{Color, EcLevel, QrCode};

use crate::markup::{push, push_attribute};
use crate::template::QrPlace;

/// Appends a QR code that fills its place, without a quiet zone: the template leaves white space around it. Error
/// correction level M.
///
/// # Errors
///
/// The payload is longer than any QR code holds (2,331 bytes).
pub(crate) fn push_qr(out: &mut String, payload: &str, place: &QrPlace) -> Result<(), qrcode::types::QrError> {
    let code = QrCode::with_error_correction_level(payload, EcLevel::M)?;
    let modules = code.to_colors();
    let scale = place.side / u16::try_from(code.width()).map_or(f32::MAX, f32::from);
    out.push_str("<g");
    if let Some(transform) = &place.transform {
        push_attribute(out, "transform", transform);
    }
    push(
        out,
        format_args!("><path fill=\"#000\" transform=\"translate({} {}) scale({scale})\" d=\"", place.x, place.y),
    );
    for (y, row) in modules.chunks(code.width()).enumerate() {
        let mut x = 0;
        // Neighbours in a row are one rectangle.
        for run in row.chunk_by(|a, b| a == b) {
            if run.first() == Some(&Color::Dark) {
                let width = run.len();
                push(out, format_args!("M{x} {y}h{width}v1h-{width}z"));
            }
            x += run.len();
        }
    }
    out.push_str("\"/></g>");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: QrPlace = QrPlace { x: 10.0, y: 20.0, side: 42.0, transform: None };

    #[test]
    fn the_code_fills_its_place() {
        let mut out = String::new();
        push_qr(&mut out, "https://insurer.example/v/1", &PLACE).unwrap();
        // Version 3: 29 modules a side; the finder pattern starts with 7 dark modules and ends at the 29th.
        assert!(out.contains("translate(10 20) scale(1.4482758)"), "{out}");
        assert!(out.contains("d=\"M0 0h7v1h-7z"), "{out}");
        assert!(out.contains("M22 0h7v1h-7z"), "{out}");
    }

    #[test]
    fn a_payload_that_no_code_holds_is_refused() {
        let mut out = String::new();
        assert!(push_qr(&mut out, &"x".repeat(2_331), &PLACE).is_ok());
        assert!(push_qr(&mut out, &"x".repeat(2_332), &PLACE).is_err());
    }
}
