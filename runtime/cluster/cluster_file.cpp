#include "runtime/cluster/cluster_file.hpp"

#include "schemas/base/cipher.hpp"
#include "schemas/base/durable_file.hpp"

#include <cstring>
#include <string_view>
#include <utility>

namespace troupe::runtime::cluster {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t file_bytes_max = 64 * 1024;
constexpr std::uint32_t copies_max = 9;
constexpr std::int64_t lease_ms_min = 1000;
constexpr std::int64_t lease_ms_max = 60'000;

problem wrong(const fs::path& file, std::string_view what) {
    return {code::config_invalid, "the cluster file " + file.string() + ": " + std::string(what)};
}

/// The first thing that cannot be; empty: none.
std::string_view fault_of(const cluster_file& f) {
    if (f.cluster.is_nil() || f.default_organization.is_nil()) {
        return "/cluster and /default_organization have to be ids; make a file with `troupe cluster init`";
    }
    if (f.shards == 0 || f.shards > storage::shards_max) {
        return "/shards has to be from 1 to 4096";
    }
    if (f.copies == 0 || f.copies > copies_max) {
        return "/copies has to be from 1 to 9";
    }
    if (f.lease_ms < lease_ms_min || f.lease_ms > lease_ms_max) {
        return "/lease_ms has to be from 1000 to 60000";
    }
    if (f.replace_after_ms < f.lease_ms) {
        return "/replace_after_ms has to be more than /lease_ms";
    }
    if (f.features_after_ms < 0) {
        return "/features_after_ms cannot be negative";
    }
    if (const auto key = from_base64(f.cursor_key); !key || key->size() != cipher_key_bytes) {
        return "/cursor_key has to be 32 bytes in base64url; make a file with `troupe cluster init`";
    }
    return f.etcd.endpoints.empty() ? "/etcd/endpoints names no etcd" : "";
}

void relative_to(const fs::path& folder, std::string& file) {
    if (!file.empty()) {
        file = (folder / file).lexically_normal().string();
    }
}

} // namespace

cluster_file make_cluster_file(std::vector<std::string> etcd_endpoints, std::uint32_t shards, std::uint32_t copies) {
    cluster_file out;
    out.cluster = make_uuid();
    out.default_organization = make_uuid();
    out.shards = shards;
    out.copies = copies;
    out.hash_seed = storage::make_hash_seed();
    out.etcd.endpoints = std::move(etcd_endpoints);
    out.etcd.prefix = "/troupe/" + to_string(out.cluster) + "/";
    out.cursor_key = to_base64url(random_bytes(cipher_key_bytes));
    return out;
}

cluster_file make_cluster_file_from(const storage::identity& who, const std::string& cursor_key,
                                    std::vector<std::string> etcd_endpoints, std::uint32_t copies) {
    auto out = make_cluster_file(std::move(etcd_endpoints), who.shards, copies);
    const auto fresh = to_string(out.cluster);
    out.etcd.prefix = "/troupe/" + to_string(who.cluster) + "-" + fresh.substr(fresh.size() - 8) + "/";
    out.cluster = who.cluster;
    out.default_organization = who.default_organization;
    out.hash_seed = who.hash_seed;
    out.founder = who.replica;
    if (!cursor_key.empty()) {
        out.cursor_key = to_base64url(cursor_key);
    }
    return out;
}

std::string cursor_key_of(const cluster_file& file) { return from_base64(file.cursor_key).value_or(""); }

expected<cluster_file> read_cluster_file(const fs::path& file) {
    const auto text = read_whole_file(file, file_bytes_max);
    if (!text) {
        return wrong(file, text.error().detail);
    }
    auto out = from_json<cluster_file>(*text, strictness::input);
    if (!out) {
        auto why = out.error();
        why.code = code::config_invalid;
        why.detail = "the cluster file " + file.string() + ": " + why.detail;
        return why;
    }
    if (const auto fault = fault_of(*out); !fault.empty()) {
        return wrong(file, fault);
    }
    const auto folder = file.parent_path();
    for (auto* name :
         {&out->etcd.ca_file, &out->etcd.certificate_file, &out->etcd.key_file, &out->links.ca_file,
          &out->links.certificate_file, &out->links.key_file, &out->admin_key_file, &out->secrets_key_file}) {
        relative_to(folder, *name);
    }
    return out;
}

namespace {

fs::path mark_of(const fs::path& directory) { return directory / "cluster.json"; }

} // namespace

expected<std::optional<cluster_mark>> check_mark(const fs::path& directory, const std::optional<cluster_mark>& now) {
    const auto file = mark_of(directory);
    const auto text = read_whole_file(file, file_bytes_max);
    std::error_code none;
    if (!text && !fs::is_directory(directory, none)) {
        return std::optional<cluster_mark>(); // whoever opens it says what is wrong
    }
    if (!text) {
        return text.error().code == code::not_found ? expected<std::optional<cluster_mark>>(std::nullopt)
                                                    : expected<std::optional<cluster_mark>>(text.error());
    }
    auto said = from_json<cluster_mark>(*text, strictness::stored);
    if (!said) {
        return problem{code::data_dir_unusable, file.string() + " cannot be read: " + said.error().detail};
    }
    if (now && now->cluster == said->cluster && now->name == said->name) {
        return std::optional(std::move(*said));
    }
    const auto whose = "data directory " + directory.string() + " is that of node \"" + said->name +
                       "\" of the cluster " + to_string(said->cluster);
    return problem{code::conflict, now ? whose + ", not of \"" + now->name + "\" of " + to_string(now->cluster) +
                                             ": give this node its own directory, or its name back (cluster.name)"
                                       : whose + ": start it with cluster.file and cluster.name. A node alone would go "
                                                 "on with what the others may have changed since"};
}

bool has_mark(const fs::path& directory) {
    std::error_code none;
    return fs::exists(mark_of(directory), none);
}

expected<void> write_mark(const fs::path& directory, const cluster_mark& now) {
    return replace_file(mark_of(directory), to_json(now) + "\n", 0600);
}

} // namespace troupe::runtime::cluster
