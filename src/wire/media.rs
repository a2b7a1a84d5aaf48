//! Data in an address, as `data:image/png;base64,...`.

use crate::chat::Source;

/// The data of an address, where it is in base64.
pub(super) fn parse_data_url(url: &str) -> Option<Source> {
    let (media_type, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
    Some(Source::Inline { media_type: media_type.to_owned(), data: data.to_owned() })
}

/// The address of data in base64.
pub(super) fn data_url(media_type: &str, data: &str) -> String {
    format!("data:{media_type};base64,{data}")
}
