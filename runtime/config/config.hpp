#pragma once

#include "schemas/base/problem.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The configuration of a node: one struct of plain values, one table that declares each property once, and
/// sources that lie over each other: defaults < OPENAI_* < file < environment < command line.
namespace troupe::runtime {

/// What the node runs with. A member is the property of the same name with "_" for "." (`log_level` is
/// `log.level`); its initial value is the default. Meaning, unit and bounds stand in the table (`properties`).
struct config {
    std::string listen = "127.0.0.1:7117";
    std::string data = ".troupe";
    std::int64_t shards = 256;

    std::string cluster_file;
    std::string cluster_name = "n1";
    std::string cluster_listen = "127.0.0.1:7118";
    std::string cluster_advertise;

    std::string log_level = "info";
    std::string log_modules;
    std::string log_file;
    bool log_json = false;
    std::int64_t log_file_bytes_max = 64 << 20;
    std::int64_t log_files_max = 5;

    std::string traces_otlp_endpoint;
    std::string traces_sample = "1";

    std::string audit_webhook_url;
    std::string audit_webhook_secret;
    std::string audit_syslog;

    std::int64_t edge_threads = 0;
    std::int64_t edge_connections_max = 16384;
    std::int64_t edge_connections_per_address_max = 4096;
    std::int64_t edge_drain_ms = 10'000;
    std::int64_t edge_refusal_ms = 1000;
    std::int64_t edge_body_bytes = 256LL << 20;
    bool edge_access_log = false;
    std::string edge_trusted_proxies;
    std::string edge_tls_certificate_file;
    std::string edge_tls_key_file;
    std::string edge_tls_redirect_listen;
    std::int64_t edge_tls_hsts_seconds = 365LL * 24 * 3600;
    std::string edge_cors_origins;

    std::int64_t limits_outstanding_commands = 16384;
    std::int64_t limits_outstanding_bytes = 64 << 20;
    std::int64_t limits_commands_in_work = 1024;
    std::int64_t limits_wait_ms = 1000;
    std::int64_t limits_address_per_second = 50;
    std::int64_t limits_address_burst = 200;
    std::int64_t limits_caller_per_second = 0;
    std::int64_t limits_caller_burst = 1000;
    std::int64_t limits_organization_per_second = 0;
    std::int64_t limits_organization_burst = 10'000;

    std::int64_t watchdog_stall_ms = 5000;
    std::int64_t watchdog_end_ms = 60'000;

    std::int64_t entity_idle_ms = 60'000;
    std::int64_t entity_active_max = 20'000;
    std::int64_t snapshot_events = 200;
    std::int64_t snapshot_idle_events = 16;
    std::int64_t snapshot_bytes = 1 << 20;
    std::int64_t dedup_window_ms = 24LL * 3600 * 1000;
    std::int64_t storage_free_bytes_min = 256LL << 20;
    std::int64_t storage_cache_bytes = 256LL << 20;
    std::string storage_copied = "refuse";
    std::int64_t timers_lateness_ms = 1000;

    std::int64_t retention_history_ms = 0;
    std::string retention_kinds;
    std::int64_t retention_log_ms = 30LL * 24 * 3600 * 1000;

    std::int64_t blobs_grace_ms = 7LL * 24 * 3600 * 1000;
    std::int64_t blobs_collect_every_ms = 3600LL * 1000;

    std::string backup_directory;
    std::int64_t backup_every_ms = 0;
    std::int64_t backup_keep = 7;
    std::string backup_s3_place;
    std::string backup_s3_endpoint;
    std::string backup_s3_region = "us-east-1";
    std::string backup_s3_access_key;
    std::string backup_s3_secret_key;
    std::string backup_s3_session_token;
    std::string backup_s3_ca_file;

    std::string secrets_key_file;
    std::string secrets_key;

    std::string identity_registration = "off";
    std::int64_t identity_access_token_ms = 15LL * 60 * 1000;
    std::int64_t identity_session_ms = 30LL * 24 * 3600 * 1000;
    std::int64_t identity_password_length_min = 12;
    std::int64_t identity_step_up_ms = 15LL * 60 * 1000;
    std::int64_t identity_sessions_max = 50;
    std::int64_t identity_api_keys_max = 100;
    std::string identity_public_url;
    std::string identity_oidc;

    std::int64_t compliance_every_ms = 24LL * 3600 * 1000;
    std::int64_t compliance_password_age_ms = 365LL * 24 * 3600 * 1000;
    std::int64_t compliance_key_unused_ms = 90LL * 24 * 3600 * 1000;
    std::int64_t compliance_backup_age_ms = 2LL * 24 * 3600 * 1000;

    std::string sandbox = "bubblewrap";
    std::string sandbox_network = "none";

    std::string tools_fetch_allow;
    std::string tools_own;
    std::string mcp_servers;
    std::string mcp_registries = "https://registry.modelcontextprotocol.io";
    std::string mcp_catalogue;

    std::string board_file;

    std::string model_default;
    std::string model_scripts;
    std::string model_cassettes;
    std::string model_prices;
    std::string model_providers;
    std::string model_routes;
    std::string model_openai_base_url;
    std::string model_openai_api_key;
    std::string model_openai_model;
    std::string model_openai_ca_file;

    std::string plans_free = "agents=5, tasks_per_day=1000, storage_bytes=1GB, tokens_per_day=2000000";
    std::string plans_pro = "agents=100, tasks_per_day=100000, storage_bytes=100GB, tokens_per_day=100000000";
    std::string plans_enterprise;
    std::string plans_prices;
    std::string plans_currency = "USD";

    std::int64_t budget_steps = 50;
    std::int64_t budget_tokens = 1'000'000;
    std::int64_t budget_time_ms = 3600LL * 1000;
    std::int64_t budget_cost_micros = 5'000'000;

    bool operator==(const config&) const = default;
};

/// Everything fixed about a property. `min` and `max` bound a number, or the bytes of a text.
struct property {
    std::string_view name; ///< "log.level": the path in the file.
    std::variant<std::string config::*, std::int64_t config::*, bool config::*> member;
    std::string_view doc;
    std::string_view unit = {};
    std::int64_t min = 0;
    std::int64_t max = 4096;
    std::string_view choices = {};  ///< "a|b|c": nothing else is accepted.
    bool reloadable = false;        ///< Takes effect when the node reloads; otherwise with the next start.
    bool secret = false;            ///< Never shown, never accepted on the command line.
    std::string_view fallback = {}; ///< A variable of other tools, used when no source of ours gives a value.
    /// What is wrong with a text beyond its length, or nothing. Must not repeat the text of a secret.
    std::optional<std::string> (*check)(std::string_view) = nullptr;
    /// Of a list of objects: the file may have it as one, the text is its JSON. All that is wrong with that text, by
    /// JSON pointers into it.
    std::vector<field_error> (*check_list)(std::string_view) = nullptr;
};

/// All properties, in the order of documentation.
std::span<const property> properties();

/// Those of what agents work with: part of them.
std::span<const property> work_properties();

/// The property of that name, or null.
const property* find_property(std::string_view name);

/// "log.level" → "TROUPE_LOG_LEVEL".
std::string environment_name(const property& p);

/// One value given on the command line.
struct config_flag {
    std::string name; ///< Of the property; the flag is "--" + name.
    std::string value;
};

/// Where values come from. An empty environment variable counts as not set.
struct config_sources {
    std::optional<std::filesystem::path> file; ///< YAML, or JSON, which is YAML too.
    std::map<std::string, std::string> environment;
    std::vector<config_flag> flags;
};

/// The variables of this process that concern the configuration: TROUPE_* and the fallbacks.
std::map<std::string, std::string> config_environment();

/// Reads `--config FILE`, `--NAME VALUE` and `--NAME=VALUE` for every property (a switch may stand without its
/// value). An unknown flag is `config_invalid`.
expected<config_sources> parse_config_arguments(std::span<const std::string> arguments);

/// A configuration with the source of each value.
struct loaded_config {
    config values;
    std::map<std::string, std::string, std::less<>>
        origins;                       ///< By property: "FILE:LINE", "environment TROUPE_X", "--flag"; absent: default.
    std::vector<std::string> warnings; ///< For the log: unknown TROUPE_* variables, a readable file with secrets.
};

/// Lays the sources over each other and checks every value. `config_invalid` lists all that is wrong, each with
/// its place ("FILE:LINE", "environment TROUPE_X", "--flag"). Blocks while it reads the file.
expected<loaded_config> load_config(const config_sources& sources);

/// A property's value as text; a secret as "********", or empty when it is not set.
std::string shown_value(const config& values, const property& p);

/// The configuration as YAML that `load_config` accepts, each value with its source in a comment. Secrets are
/// left out and said so.
std::string show_config(const loaded_config& loaded);

/// One property that differs. Values as shown: a changed secret reads "********" on both sides.
struct config_change {
    std::string name;
    std::string from;
    std::string to;
    bool reloadable = false;
};
std::vector<config_change> config_changes(const config& from, const config& to);

/// What a running node goes on with after a reload: the reloadable values of `fresh`, all others of `running`.
config reloaded_config(const config& running, const config& fresh);

/// What is wrong with the name of a place for backups, "s3://BUCKET/PREFIX", or nothing.
std::optional<std::string> check_s3_place(std::string_view text);

/// All properties as a Markdown table, for the manual.
std::string describe_config();

} // namespace troupe::runtime
