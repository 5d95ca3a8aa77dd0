#include "bin/cli/unlock.hpp"

#include "actors/secret/payload_keys.hpp"

namespace troupe::cli {

flag secrets_key_flag() {
    return {"secrets-key-file", "FILE", "The node's master key, when it is not secrets.key in the data folder."};
}

expected<runtime::config> secrets_settings(context& c, const std::filesystem::path& data) {
    runtime::config_sources sources;
    sources.environment = runtime::config_environment();
    auto loaded = runtime::load_config(sources);
    if (!loaded) {
        return loaded.error();
    }
    auto settings = std::move(loaded->values);
    settings.data = data.string();
    if (const auto file = c.args().value("secrets-key-file")) {
        settings.secrets_key.clear();
        settings.secrets_key_file = (c.search().working_folder / *file).string();
    }
    return settings;
}

expected<void> unlock(context& c, storage::store& s, bool read_only) {
    const auto settings = secrets_settings(c, s.directory());
    return settings ? actors::unlock_offline(s, *settings, read_only) : expected<void>(settings.error());
}

} // namespace troupe::cli
