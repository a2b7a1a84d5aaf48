//! Anthropic's Messages.
pub static PROTOCOL: super::openai_chat::OpenAiChat = super::openai_chat::OpenAiChat;
