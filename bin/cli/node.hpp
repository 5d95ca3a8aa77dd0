#pragma once

#include "schemas/base/problem.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

/// Which node the program speaks to, and with which key.
namespace troupe::cli {

struct connection {
    std::string url;                   ///< "http://127.0.0.1:7117", no slash at the end.
    std::string key;                   ///< Empty: none is known.
    std::string ca_file = {};          ///< --ca or TROUPE_CA; empty: the system's certificates.
    std::string certificate_file = {}; ///< Of the node on this machine: exactly that certificate is expected.
};

/// What the search may use; tests give their own.
struct node_search {
    std::optional<std::string> url;     ///< --url
    std::optional<std::string> key;     ///< --key
    std::optional<std::string> data;    ///< --data
    std::optional<std::string> ca = {}; ///< --ca
    std::function<std::optional<std::string>(const char*)> environment;
    std::filesystem::path working_folder;
    std::function<bool(int)> process_runs; ///< Whether a process with this id is there.
};
node_search search_here();

/// The data folder that --data or TROUPE_DATA names, or the one of a node found in the working folder or above it.
std::optional<std::filesystem::path> find_data_folder(const node_search& search);

/// --url and --key, else TROUPE_URL and TROUPE_KEY, else the node on this machine: DIR/node.json, DIR/admin.key.
/// `connection_failed` says how to start a node. A folder found by walking upwards may be anybody's (a cloned
/// repository): its node has to be on this machine, and no key outside the folder is read for it.
expected<connection> find_node(const node_search& search);

} // namespace troupe::cli
