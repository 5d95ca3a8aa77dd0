#pragma once

#include "runtime/config/fetch_policy.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace troupe::runtime {

/// How notifications leave the node, as `notifications.json` in its data says it: the operator's file.
struct notification_settings {
    std::string smtp_host; ///< Empty: no e-mail.
    std::string smtp_port;
    bool smtp_tls = false; ///< From the start: smtps://
    std::string smtp_from;
    std::string smtp_user;
    std::string smtp_password; ///< Or "secret:NAME", a secret of the default organization.
    std::string smtp_ca_file;
    fetch_policy webhook_allow;      ///< Off: no webhooks.
    std::filesystem::path templates; ///< Empty: the built-in ones.
    std::int64_t batch_ms = 60'000;
    std::int64_t retry_ms = 30'000; ///< Before the second attempt; then twice as long each time.

    [[nodiscard]] bool has_mail() const { return !smtp_host.empty(); }
};

/// Reads the file's JSON; an empty text is all defaults. `config_invalid` has all that is wrong, by JSON pointers.
expected<notification_settings> parse_notification_settings(std::string_view text);

} // namespace troupe::runtime
