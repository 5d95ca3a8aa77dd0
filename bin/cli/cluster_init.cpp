#include "actors/identity/admin_key.hpp"
#include "actors/secret/master_key_file.hpp"
#include "actors/secret/payload_keys.hpp"
#include "actors/secret/secret_vault.hpp"
#include "bin/cli/commands.hpp"
#include "bin/cli/unlock.hpp"
#include "runtime/cluster/cluster_file.hpp"
#include "schemas/base/cipher.hpp"
#include "schemas/base/durable_file.hpp"
#include "storage/place.hpp"
#include "storage/store.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

/// What all nodes of a new cluster share: made anew, or from what a node alone has.
namespace troupe::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view etcd_default = "http://127.0.0.1:2379";
constexpr std::uint64_t copies_max = 9;
constexpr std::size_t small_file_bytes = 4096;

/// What flags say.
struct wishes {
    std::vector<std::string> endpoints;
    std::optional<std::uint64_t> shards;
    std::uint32_t copies = 3;
    std::optional<fs::path> from; ///< A data directory.
};

expected<wishes> wishes_of(const context& c) {
    wishes out;
    const auto shards = c.args().number("shards", 1, storage::shards_max);
    const auto copies = c.args().number("copies", 1, copies_max);
    if (!shards || !copies) {
        return (shards ? copies : shards).error();
    }
    out.shards = *shards;
    out.copies = static_cast<std::uint32_t>(copies->value_or(out.copies));
    out.endpoints = c.args().values("etcd");
    if (out.endpoints.empty()) {
        out.endpoints.emplace_back(etcd_default);
    }
    if (const auto from = c.args().value("from")) {
        out.from = fs::absolute(c.search().working_folder / *from);
    } else if (c.args().value("secrets-key-file")) {
        return problem{code::invalid_request, "--secrets-key-file is for --from: a new cluster gets a new master key"};
    }
    return out;
}

/// What the cluster begins with.
struct beginning {
    runtime::cluster::cluster_file file;
    actors::master_key_source masters; ///< Empty: a new one is made.
    std::optional<std::string> admin;  ///< The text of admin.key; nothing: a new one is made.
};

/// The text of a file that need not be there: a directory that was restored has none of a node's own keys.
expected<std::optional<std::string>> read_optional(const fs::path& file) {
    auto text = read_whole_file(file, small_file_bytes);
    if (text) {
        return std::optional(std::move(*text));
    }
    return text.error().code == code::not_found ? expected<std::optional<std::string>>(std::nullopt) : text.error();
}

/// A directory that no node serves, and that was in no cluster.
expected<std::unique_ptr<storage::store>> open_alone(const wishes& w) {
    const auto& data = *w.from;
    if (runtime::cluster::has_mark(data)) {
        return problem{code::conflict,
                       data.string() +
                           " is of a node of a cluster already, and others may have what it lacks. A new "
                           "cluster begins with a backup of one: `troupe backup restore`, then this command "
                           "with the folder that it made"};
    }
    if (auto original = storage::check_place(data); !original) {
        return original.error();
    }
    storage::store_options options;
    options.directory = data;
    options.must_exist = true;
    auto store = storage::store::open(options);
    if (!store) {
        return store;
    }
    const auto& who = (*store)->who();
    if (w.shards && *w.shards != who.shards) {
        return problem{code::invalid_request,
                       fmt::format("{} has {} shards, for ever: leave --shards out", data.string(), who.shards)};
    }
    if (who.format != storage::directory_format) {
        return problem{code::conflict, data.string() + " was written by an older version: start this one with it once "
                                                       "(`troupe serve --data`), which brings it up, and stop it"};
    }
    return store;
}

/// The master keys open all that the directory has; what an older one wraps is wrapped with the newest from now on, as
/// the nodes of a cluster need it.
expected<void> check_masters(storage::store& s, const actors::master_key_source& source) {
    const auto masters = actors::read_master_keys(source);
    if (!masters) {
        return masters.error().code == code::not_found
                   ? problem{code::secrets_locked,
                             source.file.string() + " is not there: name the file of the master key that the contents "
                                                    "are sealed under with --secrets-key-file"}
                   : masters.error();
    }
    auto done = actors::attach_payload_keys(s, *masters);
    done = done ? actors::check_keyrings(s, *masters) : done;
    if (!done) {
        return done;
    }
    const auto wrapped = actors::rewrap_offline(s, *masters);
    return wrapped ? expected<void>() : expected<void>(wrapped.error());
}

expected<beginning> begin_from(context& c, const wishes& w) {
    const auto& data = *w.from;
    auto store = open_alone(w);
    if (!store) {
        return store.error();
    }
    const auto settings = secrets_settings(c, data);
    auto masters = settings ? actors::find_master_keys(*settings) : settings.error();
    if (!masters) {
        return masters.error();
    }
    if (auto good = check_masters(**store, *masters); !good) {
        return good.error();
    }
    auto admin = read_optional(data / "admin.key");
    const auto cursors = read_optional(data / "cursor.key");
    if (!admin || !cursors) {
        return (admin ? cursors : admin).error();
    }
    const bool is_key = *cursors && (*cursors)->size() == cipher_key_bytes;
    return beginning{runtime::cluster::make_cluster_file_from((*store)->who(), is_key ? **cursors : std::string(),
                                                              w.endpoints, w.copies),
                     std::move(*masters), std::move(*admin)};
}

expected<beginning> begin(context& c) {
    const auto w = wishes_of(c);
    if (!w) {
        return w.error();
    }
    auto out = w->from ? begin_from(c, *w)
                       : expected<beginning>(beginning{
                             runtime::cluster::make_cluster_file(
                                 w->endpoints, static_cast<std::uint32_t>(w->shards.value_or(256)), w->copies),
                             {},
                             {}});
    if (!out) {
        return out;
    }
    auto& file = out->file;
    file.secrets_key_file = "secrets.key";
    file.admin_key_file = "admin.key";
    file.links.insecure = c.args().has("insecure");
    if (!file.links.insecure) {
        file.links.ca_file = "tls/ca.pem";
        file.links.certificate_file = "tls/node.pem";
        file.links.key_file = "tls/node.key";
    }
    return out;
}

expected<void> write_folder(const beginning& what, const fs::path& folder) {
    std::error_code failed;
    fs::create_directories(folder, failed);
    if (failed) {
        return problem{code::invalid_request, "cannot make " + folder.string() + ": " + failed.message()};
    }
    auto written = what.file.founder ? actors::copy_key_file(what.masters, folder / "secrets.key")
                                     : actors::make_key_file(folder / "secrets.key");
    if (written) {
        written = what.admin ? replace_file(folder / "admin.key", *what.admin, 0600)
                             : actors::admin_key::make(folder / "admin.key");
    }
    // Last: it names the others.
    return written ? replace_file(folder / "cluster.json", to_json(what.file) + "\n", 0600) : written;
}

std::string next_steps(context& c, const beginning& what, const fs::path& folder) {
    const auto file = (folder / "cluster.json").string();
    const auto data = what.file.founder ? *c.args().value("from") : std::string("./n1");
    const auto tls = what.file.links.insecure
                         ? std::string("Nodes talk without TLS: whoever reaches cluster.listen is believed.\n")
                         : fmt::format("Put the certificates there, too: {0}/tls/ca.pem of the authority of all "
                                       "nodes, tls/node.pem and tls/node.key of each node, with its name as DNS "
                                       "name.\n",
                                       folder.string());
    const auto first = what.file.founder
                           ? fmt::format("The cluster begins with {}: one node has that directory, all others empty "
                                         "ones, and they wait for it.\n{}",
                                         data, what.admin ? "" : "The administrator's API key is a new one.\n")
                           : std::string();
    return fmt::format("Made {0} with cluster.json, secrets.key and admin.key. All nodes need these three files: they "
                       "are secret.\n{1}{2}Start each node with its own name, directory and addresses:\n"
                       "  troupe serve --cluster.file {3} --cluster.name n1 --data {4} --listen 127.0.0.1:7117 "
                       "--cluster.listen 127.0.0.1:7118\n",
                       folder.string(), tls, first, file, data);
}

expected<int> cluster_init(context& c) {
    const auto folder = fs::absolute(c.search().working_folder / c.args().operand(0));
    for (const auto* name : {"cluster.json", "secrets.key", "admin.key"}) {
        std::error_code unknown;
        if (fs::exists(folder / name, unknown)) {
            return problem{code::already_exists,
                           (folder / name).string() + " is there already: a cluster is made once, in a new folder"};
        }
    }
    const auto made = begin(c);
    if (!made) {
        return made.error().code == code::invalid_request ? expected<int>(c.usage(made.error())) : made.error();
    }
    if (auto written = write_folder(*made, folder); !written) {
        return written.error();
    }
    c.json()
        ? c.print_json(fmt::format(R"({{"file":{},"cluster":{}}})", json::quoted((folder / "cluster.json").string()),
                                   json::quoted(to_string(made->file.cluster))))
        : c.print(next_steps(c, *made, folder));
    return 0;
}

} // namespace

command cluster_init_command() {
    return {"cluster init",
            "Make a folder with what all nodes of a new cluster share: cluster.json, the master key of secrets and the "
            "administrator's API key. With --from the cluster begins with what a node alone has, or with a backup that "
            "was restored.",
            {.flags = {{"etcd", "URL",
                        "Of a member of etcd; for several give it again. Default: http://127.0.0.1:2379.", 0, true},
                       {"from", "DATA", "The data folder of a node that is stopped, which the cluster begins with."},
                       secrets_key_flag(),
                       {"shards", "N", "Shards of the cluster, for ever. Default: 256, or those of --from."},
                       {"copies", "N", "Copies of each shard. Default: 3."},
                       {"insecure", "", "Nodes talk without TLS, for a network that nobody else is in."}},
             .operands = "DIR",
             .operands_min = 1,
             .operands_max = 1},
            "troupe cluster init ./cluster --etcd http://10.0.0.1:2379 --etcd http://10.0.0.2:2379\n"
            "troupe cluster init ./cluster --insecure\n"
            "troupe cluster init ./cluster --from ./data",
            cluster_init};
}

} // namespace troupe::cli
