//! Data in an address, as `data:image/png;base64,...`.

use crate::chat::Source;

/// The source of an address, whose data may stand in it in base64.
pub(super) fn address(url: &str) -> Source {
    let inline = || {
        let (media_type, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
        Some(Source::Inline { media_type: media_type.to_owned(), data: data.to_owned() })
    };
    inline().unwrap_or_else(|| Source::Url(url.to_owned()))
}

/// The address of data in base64.
pub(super) fn data_url(media_type: &str, data: &str) -> String {
    format!("data:{media_type};base64,{data}")
}

/// OpenAI's word for a recording's format.
pub(super) fn audio_format(media_type: &str) -> &str {
    match media_type.strip_prefix("audio/").unwrap_or(media_type) {
        "mpeg" => "mp3",
        "x-wav" | "wave" => "wav",
        format => format,
    }
}
