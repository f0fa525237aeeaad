//! Credentials in requests: the one list of the headers and query parameters that carry them.
//!
//! The relay removes them where the key is the server's, hashes them for the scope of idempotency
//! keys and refuses them in
//! `set_headers`; recordings mask them. A route can add names of its own (`credential_headers`, `credential_parameters`).
//! Names are in lower case. CSRF tokens are not in the list: they admit nobody by themselves, and
//! they change with every page.

/// Request headers that carry a credential.
pub const HEADERS: &[&str] = &[
    // All providers; RFC 9110 § 11.
    "authorization",
    // Anthropic, AWS API Gateway.
    "x-api-key",
    // Azure OpenAI.
    "api-key",
    // Gemini and other services of Google.
    "x-goog-api-key",
    "x-goog-iam-authorization-token",
    // Cloud Run, where Authorization is the app's own.
    "x-serverless-authorization",
    // Azure API Management, Azure Functions, App Service.
    "ocp-apim-subscription-key",
    "x-functions-key",
    "x-ms-token-aad-access-token",
    "x-ms-token-aad-id-token",
    // Temporary keys of AWS.
    "x-amz-security-token",
    "x-amzn-oidc-accesstoken",
    "x-amzn-oidc-data",
    // Cloudflare's API, AI Gateway and Access.
    "x-auth-key",
    "cf-aig-authorization",
    "cf-access-client-secret",
    "cf-access-jwt-assertion",
    "cf-access-token",
    // Gateways for models: LiteLLM, Portkey, Helicone.
    "x-litellm-api-key",
    "x-portkey-api-key",
    "x-portkey-virtual-key",
    "helicone-auth",
    // ElevenLabs, RapidAPI, Brave Search, GitLab.
    "xi-api-key",
    "x-rapidapi-key",
    "x-subscription-token",
    "private-token",
    // Kong, Supabase.
    "apikey",
    "x-apikey",
    // Vercel.
    "x-vercel-oidc-token",
    "x-vercel-protection-bypass",
    // oauth2-proxy.
    "x-auth-request-access-token",
    // OpenStack, and many others.
    "x-auth-token",
    "x-access-token",
    "x-token",
    "proxy-authorization",
    "cookie",
    // The server's own.
    tidewire_codec::protocol::TIDEWIRE_TOKEN,
];

/// Query parameters that carry a credential.
pub const PARAMETERS: &[&str] = &[
    // RFC 6750; Baidu.
    "access_token",
    // Gemini and other services of Google.
    "key",
    "api_key",
    "apikey",
    "api-key",
    // Azure API Management, Azure Functions, shared access signatures.
    "subscription-key",
    "code",
    "sig",
    // Signed addresses of AWS, Google Cloud and CloudFront.
    "x-amz-credential",
    "x-amz-security-token",
    "x-amz-signature",
    "x-goog-credential",
    "x-goog-signature",
    "signature",
    // OAuth and OpenID Connect.
    "id_token",
    "refresh_token",
    "client_secret",
    // No standard, but usual.
    "token",
    "auth_token",
    "auth",
    "authorization",
    "jwt",
    "secret",
    "password",
    "pass",
];

/// The cookies that carry a token of the server, unless it is told other names.
pub const COOKIES: &[&str] = &["__Host-tidewire", "__Secure-tidewire", "tidewire_token"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_in_lower_case_and_stands_once() {
        for list in [HEADERS, PARAMETERS] {
            for (at, name) in list.iter().enumerate() {
                assert_eq!(*name, name.to_ascii_lowercase());
                assert!(!list[..at].contains(name), "{name} stands twice");
            }
        }
    }
}
