#pragma once

#include "actors/notification/inbox_model.hpp"
#include "actors/notification/mail_templates.hpp"
#include "runtime/config/config.hpp"
#include "runtime/config/notification_settings.hpp"
#include "runtime/entity/kind.hpp"
#include "storage/store.hpp"

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

/// How notifications leave the node: what the operator set up, and the performer of inboxes. Thread-safe.
namespace troupe::actors {

/// As the node keeps secrets, in the organization `system`; all of them may block.
struct notification_secrets {
    std::function<expected<std::string>(std::string_view name)> reveal;
    std::function<expected<void>(std::string_view name, std::string_view value)> keep;
    std::function<expected<std::string>(std::string_view name)> configured; ///< Of "secret:NAME" in the settings.
};

class notification_desk {
public:
    /// Of DATA/notifications.json and the templates that it names; `config_invalid` has the place. `s` outlives it.
    static expected<std::unique_ptr<notification_desk>> open(const runtime::config& settings, const storage::store& s,
                                                             notification_secrets secrets);

    /// Makes the key of webhooks' secrets, if there is none yet. When the node has started; blocks.
    expected<void> prepare() const;

    /// What of the preferences cannot be done here, by the pointers of its members; `owner`: a principal.
    [[nodiscard]] expected<void> check(const notification_preferences& p, std::string_view owner) const;

    /// The same with the node's batch for whoever wants e-mails and says none.
    [[nodiscard]] notification_preferences completed(notification_preferences p) const;

    /// With what an inbox's webhooks are signed.
    [[nodiscard]] expected<std::string> webhook_secret(const entity_address& inbox,
                                                       const notification_preferences& p) const;

    /// One attempt; blocks until it has ended.
    [[nodiscard]] note_parcel deliver(const entity_address& inbox, const inbox_state& state, const parcel& p,
                                      const std::stop_token& stop) const;

private:
    [[nodiscard]] expected<void> check_owner(const entity_address& inbox) const;
    notification_desk(const runtime::config& settings, const storage::store& s, notification_secrets secrets)
        : store_(s), secrets_(std::move(secrets)), public_url_(settings.identity_public_url) {}
    [[nodiscard]] expected<std::string> address_of(const entity_address& inbox,
                                                   const notification_preferences& p) const;
    [[nodiscard]] expected<void> mail(const entity_address& inbox, const inbox_state& state, const parcel& p,
                                      const std::stop_token& stop) const;
    [[nodiscard]] expected<void> post(const entity_address& inbox, const inbox_state& state, const parcel& p,
                                      const std::stop_token& stop) const;

    const storage::store& store_;
    notification_secrets secrets_;
    std::string public_url_;
    runtime::notification_settings settings_;
    mail_templates templates_;
};

/// Delivers parcels. The desk outlives it.
runtime::performer_of<inbox_model> make_inbox_performer(const notification_desk& desk);

} // namespace troupe::actors
