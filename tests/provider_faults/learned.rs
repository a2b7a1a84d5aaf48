//! What a provider refuses is learned, and no more than that is asked again.

use crate::raw::*;
use headrace::provider::Provider;

#[tokio::test]
async fn a_parameter_that_is_refused_is_left_out_once_and_for_all() {
    let refused = "{\"error\":{\"message\":\"Unrecognized request argument supplied: stream_options\"}}";
    let answer = stream(&format!("{TEXT}{STOP}{DONE}"));
    let (url, asked) = serve(vec![reply(400, "", refused.as_bytes()), answer]).await;
    let provider = provider(&url);
    for _ in 0..2 {
        let (text, error) = read_events(ask_stream(&provider).await.unwrap());
        assert_eq!((text.as_str(), error.is_none()), ("1,204 t", true));
    }
    let with: Vec<_> = asked.lock().iter().map(|request| request.contains("stream_options")).collect();
    assert_eq!(with, [true, false, false]);
}

#[tokio::test]
async fn the_name_of_the_limit_on_tokens_is_learned() {
    let refused = "{\"error\":{\"message\":\"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.\"}}";
    let (url, asked) = serve(vec![reply(400, "", refused.as_bytes()), reply(200, "", WHOLE.as_bytes())]).await;
    let provider = provider(&url);
    let mut request = question();
    request.limits.max_output_tokens = Some(77);
    for _ in 0..2 {
        provider.chat(&request, false).await.unwrap();
    }
    let with: Vec<_> = asked.lock().iter().map(|request| request.contains("\"max_completion_tokens\":77")).collect();
    assert_eq!(with, [false, true, true]);
}

#[tokio::test]
async fn a_server_that_refuses_whatever_is_asked_is_asked_no_more_than_thrice() {
    let refused = "{\"error\":{\"message\":\"stream_options, max_tokens: use max_completion_tokens; unsupported\"}}";
    let (url, asked) = serve(vec![reply(400, "", refused.as_bytes())]).await;
    let mut request = question();
    request.limits.max_output_tokens = Some(77);
    provider_error(provider(&url).chat(&request, true).await);
    assert!(asked.lock().len() <= 3);
}

#[tokio::test]
async fn no_redirect_is_followed() {
    for status in [301, 302, 303, 307, 308] {
        let (elsewhere, asked) = serve(vec![reply(200, "", WHOLE.as_bytes())]).await;
        let host = elsewhere.trim_start_matches("http://");
        let location = format!("location: http://user:{KEY}@{host}/chat?key={KEY}#{KEY}\r\n");
        let (url, _) = serve(vec![reply(status, &location, b"")]).await;
        for stream in [false, true] {
            let error = provider_error(provider(&url).chat(&question(), stream).await);
            assert_eq!((error.status_code, error.is_retryable), (Some(status), false));
            assert!(error.message.contains(&format!("{host}/chat")), "{error}");
            assert!(error.message.contains("base_url") && !error.message.contains("canary"), "{error}");
        }
        assert!(asked.lock().is_empty());
    }
}
