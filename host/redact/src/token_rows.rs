//! The tokens that are known, one row each. Sources: the vendors' documentation of their token formats and the secret
//! scanning patterns they publish.

use crate::token::Alphabet::{self, Alnum, Base64, Dotted, Hex, Upper, Url};
use crate::token::{Block, Token};

/// No limit.
pub(crate) const MANY: usize = usize::MAX;

const fn row(kind: &'static str, prefix: &'static str, alphabet: Alphabet, least: usize, most: usize) -> Token {
    Token { kind, prefix, alphabet, least, most }
}

/// Prefix, alphabet, and how many characters follow.
pub(crate) static TOKENS: &[Token] = &[
    // Clouds.
    row("aws-access-key", "AKIA", Upper, 16, 16),
    row("aws-access-key", "ASIA", Upper, 16, 16),
    row("aws-access-key", "ABIA", Upper, 16, 16),
    row("aws-access-key", "ACCA", Upper, 16, 16),
    row("aws-session-token", "FwoGZXIvYXdz", Base64, 100, MANY),
    row("aws-session-token", "IQoJb3JpZ2lu", Base64, 100, MANY),
    row("aws-bedrock-key", "ABSK", Base64, 100, MANY),
    row("aws-bedrock-key", "bedrock-api-key-", Base64, 40, MANY),
    row("gcp-api-key", "AIza", Url, 35, 35),
    row("gcp-access-token", "ya29.", Dotted, 20, MANY),
    row("gcp-client-secret", "GOCSPX-", Url, 24, 40),
    row("gcp-refresh-token", "1//0", Url, 40, MANY),
    row("alibaba-access-key", "LTAI", Alnum, 16, 24),
    row("tencent-secret-id", "AKID", Alnum, 32, 40),
    row("digitalocean-token", "dop_v1_", Hex, 64, 64),
    row("digitalocean-token", "doo_v1_", Hex, 64, 64),
    row("digitalocean-token", "dor_v1_", Hex, 64, 64),
    row("heroku-token", "HRKU-", Url, 36, 80),
    row("fly-token", "fm2_", Base64, 40, MANY),
    row("fly-token", "fo1_", Url, 40, MANY),
    row("netlify-token", "nfp_", Alnum, 36, 48),
    row("supabase-token", "sbp_", Hex, 40, 40),
    row("supabase-key", "sb_secret_", Url, 20, 80),
    row("planetscale-token", "pscale_tkn_", Dotted, 32, 80),
    row("planetscale-token", "pscale_oauth_", Dotted, 32, 80),
    row("planetscale-password", "pscale_pw_", Dotted, 32, 80),
    row("tailscale-key", "tskey-", Url, 20, 120),
    row("databricks-token", "dapi", Hex, 32, 34),
    // Code hosts, registries, builds.
    row("github-token", "ghp_", Alnum, 36, 255),
    row("github-token", "gho_", Alnum, 36, 255),
    row("github-token", "ghu_", Alnum, 36, 255),
    row("github-token", "ghs_", Dotted, 36, MANY),
    row("github-token", "ghr_", Alnum, 36, 255),
    row("github-token", "github_pat_", Url, 22, 255),
    row("gitlab-token", "glpat-", Dotted, 20, 300),
    row("gitlab-token", "gldt-", Dotted, 20, 300),
    row("gitlab-token", "glrt-", Dotted, 20, 300),
    row("gitlab-token", "glrtr-", Dotted, 20, 300),
    row("gitlab-token", "glcbt-", Dotted, 20, 300),
    row("gitlab-token", "glptt-", Dotted, 20, 300),
    row("gitlab-token", "glft-", Dotted, 20, 300),
    row("gitlab-token", "glimt-", Dotted, 20, 300),
    row("gitlab-token", "glsoat-", Dotted, 20, 300),
    row("gitlab-token", "glagent-", Dotted, 40, 300),
    row("gitlab-token", "gloas-", Dotted, 40, 300),
    row("gitlab-token", "glffct-", Dotted, 20, 300),
    row("gitlab-token", "GR1348941", Url, 20, 40),
    row("bitbucket-password", "ATBB", Alnum, 28, 40),
    row("atlassian-token", "ATATT3", Base64, 100, MANY),
    row("atlassian-token", "ATCTT3", Base64, 100, MANY),
    row("npm-token", "npm_", Alnum, 36, 60),
    row("pypi-token", "pypi-Ag", Url, 50, MANY),
    row("rubygems-key", "rubygems_", Hex, 48, 48),
    row("crates-token", "cio", Alnum, 32, 32),
    row("nuget-key", "oy2", Alnum, 43, 43),
    row("docker-token", "dckr_pat_", Url, 27, 60),
    row("docker-token", "dckr_oat_", Url, 27, 60),
    row("clojars-token", "CLOJARS_", Alnum, 60, 60),
    row("jfrog-key", "AKCp", Alnum, 60, 80),
    row("jfrog-token", "cmVmdGtu", Alnum, 56, 56),
    row("circleci-token", "CCIPAT_", Url, 40, 120),
    row("circleci-token", "CCIPRJ_", Url, 40, 120),
    row("buildkite-token", "bkua_", Alnum, 40, 60),
    row("sonar-token", "squ_", Hex, 40, 40),
    row("sonar-token", "sqp_", Hex, 40, 40),
    row("sonar-token", "sqa_", Hex, 40, 40),
    row("pulumi-token", "pul-", Hex, 40, 40),
    row("vault-token", "hvs.", Url, 24, 300),
    row("vault-token", "hvb.", Url, 24, 300),
    row("vault-token", "hvr.", Url, 24, 300),
    row("doppler-token", "dp.pt.", Alnum, 40, 48),
    row("doppler-token", "dp.st.", Dotted, 40, 90),
    row("doppler-token", "dp.sa.", Alnum, 40, 48),
    row("1password-token", "ops_eyJ", Base64, 100, MANY),
    row("age-key", "AGE-SECRET-KEY-1", Upper, 58, 58),
    row("postman-key", "PMAK-", Url, 50, 70),
    // Models.
    row("anthropic-key", "sk-ant-", Url, 20, 200),
    row("openai-key", "sk-proj-", Url, 32, 300),
    row("openai-key", "sk-svcacct-", Url, 32, 300),
    row("openai-key", "sk-admin-", Url, 32, 300),
    row("openrouter-key", "sk-or-v1-", Hex, 64, 64),
    row("langsmith-key", "lsv2_pt_", Url, 32, 80),
    row("langsmith-key", "lsv2_sk_", Url, 32, 80),
    row("openai-key", "sk-", Alnum, 32, 120),
    row("groq-key", "gsk_", Alnum, 40, 60),
    row("xai-key", "xai-", Alnum, 70, 100),
    row("perplexity-key", "pplx-", Alnum, 40, 60),
    row("replicate-token", "r8_", Alnum, 37, 40),
    row("nvidia-key", "nvapi-", Url, 60, 80),
    row("huggingface-token", "hf_", Alnum, 34, 40),
    row("pinecone-key", "pcsk_", Url, 50, 90),
    row("tavily-key", "tvly-", Url, 32, 60),
    // Chat and mail.
    row("slack-token", "xoxb-", Url, 20, 300),
    row("slack-token", "xoxp-", Url, 20, 300),
    row("slack-token", "xoxa-", Url, 20, 300),
    row("slack-token", "xoxr-", Url, 20, 300),
    row("slack-token", "xoxs-", Url, 20, 300),
    row("slack-token", "xoxo-", Url, 20, 300),
    row("slack-token", "xoxc-", Url, 20, 300),
    row("slack-token", "xoxd-", Base64, 20, 600),
    row("slack-token", "xoxe-", Url, 20, 300),
    row("slack-token", "xoxe.xox", Dotted, 20, 400),
    row("slack-token", "xapp-", Url, 20, 300),
    row("twilio-key", "SK", Hex, 32, 32),
    row("mailgun-key", "key-", Hex, 32, 32),
    row("sendinblue-key", "xkeysib-", Url, 64, 100),
    // Payment and shops.
    row("stripe-key", "sk_live_", Alnum, 16, 255),
    row("stripe-key", "sk_test_", Alnum, 16, 255),
    row("stripe-key", "rk_live_", Alnum, 16, 255),
    row("stripe-key", "rk_test_", Alnum, 16, 255),
    row("stripe-key", "whsec_", Base64, 24, 255),
    row("square-token", "sq0atp-", Url, 22, 60),
    row("square-token", "sq0csp-", Url, 43, 60),
    row("shopify-token", "shpat_", Hex, 32, 32),
    row("shopify-token", "shpca_", Hex, 32, 32),
    row("shopify-token", "shppa_", Hex, 32, 32),
    row("shopify-token", "shpss_", Hex, 32, 32),
    // Work and watching.
    row("linear-key", "lin_api_", Alnum, 32, 48),
    row("notion-token", "ntn_", Alnum, 40, 60),
    row("notion-token", "secret_", Alnum, 43, 43),
    row("figma-token", "figd_", Url, 36, 60),
    row("mapbox-token", "sk.eyJ", Dotted, 40, 300),
    row("newrelic-key", "NRAK-", Alnum, 27, 27),
    row("newrelic-key", "NRII-", Url, 27, 40),
    row("sentry-token", "sntrys_", Base64, 60, MANY),
    row("sentry-token", "sntryu_", Hex, 64, 64),
    row("grafana-token", "glc_", Base64, 32, 500),
    row("grafana-token", "glsa_", Url, 40, 60),
    row("dynatrace-token", "dt0c01.", Dotted, 80, 100),
    row("dynatrace-token", "dt0s16.", Dotted, 60, 100),
    row("launchdarkly-key", "sdk-", Url, 36, 36),
    row("typeform-token", "tfp_", Dotted, 40, 80),
    row("yandex-key", "AQVN", Url, 35, 40),
];

/// A piece of a token of several parts.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// Exactly this.
    Literal(&'static str),
    /// Characters of an alphabet: at least, and at most, so many.
    Run(Alphabet, usize, usize),
}

/// Tokens whose prefix says too little by itself.
pub(crate) static COMPOUND: &[(&str, &[Part])] = &[
    ("sendgrid-key", &[Part::Literal("SG."), Part::Run(Url, 20, 24), Part::Literal("."), Part::Run(Url, 40, 48)]),
    ("telegram-token", &[Part::Run(Hex, 8, 10), Part::Literal(":AA"), Part::Run(Url, 32, 35)]),
    ("terraform-token", &[Part::Run(Alnum, 14, 14), Part::Literal(".atlasv1."), Part::Run(Url, 60, 80)]),
    ("airtable-token", &[Part::Literal("pat"), Part::Run(Alnum, 14, 14), Part::Literal("."), Part::Run(Hex, 64, 64)]),
    ("mailchimp-key", &[Part::Run(Hex, 32, 32), Part::Literal("-us"), Part::Run(Hex, 1, 2)]),
    (
        "azure-client-secret",
        &[Part::Run(Alnum, 3, 3), Part::Run(Hex, 1, 1), Part::Literal("Q~"), Part::Run(Dotted, 31, 34)],
    ),
    ("azure-devops-token", &[Part::Run(Alnum, 76, 76), Part::Literal("AZDO"), Part::Run(Alnum, 4, 4)]),
    ("hubspot-token", &[Part::Literal("pat-"), Part::Run(Alnum, 3, 3), Part::Literal("-"), Part::Run(Url, 36, 36)]),
    (
        "braintree-token",
        &[
            Part::Literal("access_token$"),
            Part::Run(Alnum, 7, 10),
            Part::Literal("$"),
            Part::Run(Alnum, 16, 16),
            Part::Literal("$"),
            Part::Run(Hex, 32, 32),
        ],
    ),
];

/// Private keys. Certificates and public keys are no secrets.
pub(crate) static BLOCKS: &[Block] = &[
    Block { kind: "private-key", begin: "-----BEGIN ", says: "PRIVATE KEY", end: "-----END " },
    Block { kind: "private-key", begin: "---- BEGIN SSH2 ", says: "PRIVATE KEY", end: "---- END SSH2 " },
    Block { kind: "private-key", begin: "Private-Lines: ", says: "", end: "Private-MAC: " },
];
