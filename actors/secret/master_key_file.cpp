#include "actors/secret/master_key_file.hpp"

#include "schemas/base/clock.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/log.hpp"

#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace troupe::actors {
namespace {

constexpr std::size_t file_bytes_max = 64 * 1024;

std::string line_of_new_key() {
    return make_master_key() + " # a master key of Troupe's secrets, made " + to_string(system_now()) + "\n";
}

expected<wiped_text> read_text(const std::filesystem::path& file) {
    auto text = read_whole_file(file, file_bytes_max);
    return text ? expected<wiped_text>(wiped_text(std::move(*text))) : expected<wiped_text>(text.error());
}

void warn_of_readers(const std::filesystem::path& file) {
    std::error_code ignored; // only a warning
    const auto others = std::filesystem::perms::others_all | std::filesystem::perms::group_all;
    if ((std::filesystem::status(file, ignored).permissions() & others) != std::filesystem::perms::none) {
        log_for("secrets").warn("others may read or write the master key in {}; do: chmod 600 {}", file.string(),
                                file.string());
    }
}

} // namespace

std::string master_key_source::origin() const {
    return text.empty() ? file.string() : "secrets.key (TROUPE_SECRETS_KEY)";
}

expected<master_key_source> find_master_keys(const runtime::config& settings) {
    if (!settings.secrets_key.empty() && !settings.secrets_key_file.empty()) {
        return problem{code::config_invalid,
                       "Both secrets.key (TROUPE_SECRETS_KEY) and secrets.key_file are set; the master key comes from "
                       "one of them"};
    }
    if (!settings.secrets_key.empty()) {
        return master_key_source{settings.secrets_key, {}, false};
    }
    if (!settings.secrets_key_file.empty()) {
        return master_key_source{{}, settings.secrets_key_file, false};
    }
    return master_key_source{{}, std::filesystem::path(settings.data) / "secrets.key", true};
}

expected<master_keys> read_master_keys(const master_key_source& from) {
    if (!from.text.empty()) {
        return master_keys::parse(from.text, from.origin());
    }
    const auto text = read_text(from.file);
    if (!text) {
        return text.error();
    }
    warn_of_readers(from.file);
    return master_keys::parse(text->text(), from.origin());
}

namespace {

expected<void> write_key_file(const std::filesystem::path& file, const wiped_text& all) {
    // Whole or not there, and never over another one: written beside, then linked to its name.
    const auto beside = file.parent_path() / (".secrets-key-" + to_string(make_uuid()));
    if (auto written = replace_file(beside, all.text(), 0600); !written) {
        return written;
    }
    const int failed = ::link(beside.c_str(), file.c_str()) == 0 ? 0 : errno;
    ::unlink(beside.c_str());
    if (failed == EEXIST) {
        return problem{code::already_exists,
                       file.string() + " exists, and no key file is overwritten; choose another name"};
    }
    return failed == 0 ? sync_folder(file.parent_path())
                       : expected<void>(file_problem("create", file.native(), failed));
}

} // namespace

expected<void> make_key_file(const std::filesystem::path& file) {
    return write_key_file(file, wiped_text(line_of_new_key()));
}

expected<void> copy_key_file(const master_key_source& from, const std::filesystem::path& file) {
    if (auto good = read_master_keys(from); !good) {
        return good.error();
    }
    if (!from.text.empty()) {
        return write_key_file(file, wiped_text(from.text + "\n"));
    }
    const auto text = read_text(from.file);
    return text ? write_key_file(file, *text) : expected<void>(text.error());
}

expected<master_keys> add_master_key(const master_key_source& to) {
    if (!to.text.empty()) {
        return problem{code::conflict,
                       "the master key comes from " + to.origin() +
                           ", which the node cannot change: put a new key before it there, by a comma, and restart the "
                           "node; it wraps everything with the new one then"};
    }
    const auto text = read_text(to.file);
    if (!text) {
        return text.error();
    }
    const wiped_text all(line_of_new_key() + text->text());
    auto keys = master_keys::parse(all.text(), to.origin());
    if (!keys) {
        return keys;
    }
    if (auto written = replace_file(to.file, all.text(), 0600); !written) {
        return written.error();
    }
    return keys;
}

} // namespace troupe::actors
