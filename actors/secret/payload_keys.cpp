#include "actors/secret/payload_keys.hpp"

#include "actors/secret/master_key_file.hpp"
#include "runtime/cluster/cluster_file.hpp"
#include "runtime/entity/rebuild.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/log.hpp"
#include "storage/sealing.hpp"
#include "storage/store.hpp"

#include <system_error>
#include <utility>

namespace troupe::actors {
namespace {

std::string place_of(const uuid& subject, std::uint32_t number, std::string_view master) {
    return "troupe payload key 1 " + to_string(subject) + " " + std::to_string(number) + " " + std::string(master);
}

class master_wrapping final : public storage::key_wrapping {
public:
    explicit master_wrapping(master_keys masters) : masters_(std::move(masters)) {}

    [[nodiscard]] std::string wrap(const uuid& subject, std::uint32_t number, std::string_view key) const override {
        const auto& master = masters_.current();
        return master.id + "." + to_base64url(seal(master.bytes, key, place_of(subject, number, master.id)));
    }

    [[nodiscard]] bool is_current(std::string_view wrapped) const override {
        return wrapped.starts_with(masters_.current().id + ".");
    }

    [[nodiscard]] expected<wiped_text> unwrap(const uuid& subject, std::uint32_t number,
                                              std::string_view wrapped) const override {
        const auto end = std::min(wrapped.find('.'), wrapped.size());
        const auto id = wrapped.substr(0, end);
        const auto* master = masters_.find(id);
        if (!master) {
            return problem{code::secrets_locked,
                           "the contents of this data directory are sealed under the master key " + std::string(id) +
                               ", which is not among those at hand (" + masters_.ids() + ")"};
        }
        const auto body = from_base64(wrapped.substr(std::min(end + 1, wrapped.size())));
        auto key = body ? unseal(master->bytes, *body, place_of(subject, number, id)) : std::nullopt;
        return key ? expected<wiped_text>(wiped_text(std::move(*key)))
                   : problem{code::secrets_locked, "key " + std::to_string(number) +
                                                       " of the contents was changed; put the key files there that lie "
                                                       "beside the backups"};
    }

private:
    master_keys masters_;
};

bool has_records(const storage::store& s) {
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        if (s.applied(shard) > 0) {
            return true;
        }
    }
    return false;
}

/// Says that there are rows of before the first key.
std::filesystem::path mark_of(const storage::store& s) {
    return storage::store::keys_folder(s.directory()) / "views-plain";
}

} // namespace

std::shared_ptr<const storage::key_wrapping> wrap_with_masters(master_keys masters) {
    return std::make_shared<master_wrapping>(std::move(masters));
}

expected<void> attach_payload_keys(storage::store& s, const master_keys& masters, bool read_only) {
    auto keys =
        storage::key_store::open(storage::store::keys_folder(s.directory()), wrap_with_masters(masters), read_only);
    if (!keys) {
        return keys.error();
    }
    // In a cluster records may have come before the last keys; the coordinator has all of them.
    const bool shared = runtime::cluster::has_mark(s.directory());
    if (auto known = shared ? expected<void>() : storage::check_keys(s, **keys); !known) {
        return known;
    }
    const bool is_older = (*keys)->is_empty() && !read_only && has_records(s);
    if (auto noted = is_older ? replace_file(mark_of(s), "", 0600) : expected<void>(); !noted) {
        return noted;
    }
    s.attach_keys(std::move(*keys));
    return {};
}

std::string master_of_payload_keys(const storage::store& s) {
    const auto files = storage::read_key_files(storage::store::keys_folder(s.directory()));
    for (const auto& [name, text] : files ? *files : std::vector<std::pair<std::string, std::string>>()) {
        const auto line = ("\n" + text).find("\nkey "); // key NUMBER SUBJECT MASTER.…
        const auto end = line == std::string::npos ? line : text.find('.', line);
        if (end != std::string::npos) {
            const auto begin = text.rfind(' ', end) + 1;
            return text.substr(begin, end - begin);
        }
    }
    return {};
}

expected<void> seal_older_views(storage::store& s, const runtime::kind_registry& kinds) {
    std::error_code failed;
    if (!s.keys() || !std::filesystem::exists(mark_of(s), failed)) {
        return {};
    }
    log_for("secrets").warn("the rows of this data directory are sealed now, once; events of before stay plain until "
                            "they are trimmed");
    const auto done = runtime::rebuild_views(s, kinds, true, [](std::uint64_t) {});
    if (!done) {
        return done.error();
    }
    std::filesystem::remove(mark_of(s), failed);
    return failed ? expected<void>(file_problem("remove", mark_of(s).native(), failed.value())) : expected<void>();
}

expected<void> unlock_offline(storage::store& s, const runtime::config& settings, bool read_only) {
    if (!storage::key_store::has_keys(storage::store::keys_folder(s.directory()))) {
        return {};
    }
    const auto source = find_master_keys(settings);
    const auto masters = source ? read_master_keys(*source) : expected<master_keys>(source.error());
    if (!masters) {
        auto why = masters.error();
        if (why.code == code::not_found) {
            why = {code::secrets_locked, "the contents of " + s.directory().string() +
                                             " are sealed, and the master key is not there; name its file with "
                                             "--secrets-key-file, or give it as TROUPE_SECRETS_KEY"};
        }
        return why;
    }
    return attach_payload_keys(s, *masters, read_only);
}

} // namespace troupe::actors
