#include "schemas/secret.hpp"
#include "actors/secret/payload_keys.hpp"
#include "actors/secret/secret_vault.hpp"
#include "bin/cli/ask.hpp"
#include "bin/cli/commands.hpp"
#include "bin/cli/import.hpp"
#include "bin/cli/print.hpp"
#include "runtime/config/config.hpp"
#include "schemas/base/cipher.hpp"
#include "storage/store.hpp"

#include <fmt/format.h>

#include <chrono>
#include <thread>
#include <utility>

/// Secrets: a value goes in by a file, a variable or standard input, never by the command line, and none comes out.
namespace troupe::cli {
namespace {

namespace fs = std::filesystem;

constexpr auto look_again = std::chrono::milliseconds(100);

expected<std::string> given_value(context& c) {
    const auto file = c.args().value("from-file");
    const auto variable = c.args().value("from-env");
    if (file && variable) {
        return problem{code::invalid_request, "--from-file and --from-env are two values; give one."};
    }
    if (variable) {
        const auto value = c.search().environment(variable->c_str());
        return value ? expected<std::string>(*value)
                     : problem{code::invalid_request, fmt::format("The variable {} is not set.", *variable)};
    }
    if (file || !c.typed()) {
        return text_of(c, file.value_or("-"));
    }
    return ask_unseen(fmt::format("Value of {}: ", c.args().operand(0))).value_or("");
}

/// JSON carries text only, and would carry something else in its place.
bool is_utf8(const std::string& text) {
    const auto parsed = json::document::parse(json::quoted(text));
    return parsed && parsed->root().as_string() == std::string_view(text);
}

expected<int> secret_set(context& c) {
    auto value = given_value(c);
    if (!value) {
        return c.usage(value.error());
    }
    if (value->empty() || !is_utf8(*value)) {
        return c.usage({code::invalid_request, value->empty() ? "The value is empty."
                                                              : "The value is no UTF-8 text; encode it, for example "
                                                                "with base64."});
    }
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const wiped_text body(to_json(set_secret_body{std::move(*value)}));
    return print_document<secret_document>(
        c, (*node)->put("/secrets/" + encode_segment(c.args().operand(0)), body.text()),
        [](const auto& s) { return fmt::format("Set {}, version {}.\n", s.name, s.version); });
}

expected<int> secret_list(context& c) {
    return print_list<secret_document>(
        c, "/secrets", {}, "There is no secret. `troupe secret set NAME` sets one.", [&](const auto& items) {
            std::vector<std::vector<cell>> rows;
            for (const auto& s : items) {
                rows.push_back({{s.name, tone::accent},
                                {std::to_string(s.version)},
                                {relative_time(s.updated_at, c.now()), tone::faint},
                                {s.updated_by},
                                {std::to_string(s.key)}});
            }
            return table(c.out_screen(), {{"SECRET"}, {"VERSION", true}, {"SET"}, {"BY"}, {"KEY", true}}, rows);
        });
}

expected<int> secret_delete(context& c) {
    auto node = c.node();
    return node ? print_done(c, (*node)->remove("/secrets/" + encode_segment(c.args().operand(0))),
                             "Deleted " + c.args().operand(0) + ".")
                : expected<int>(node.error());
}

std::string show_keys(const screen& s, const secret_keys_document& k) {
    return details(s, {{"data key", {k.key == 0 ? "none yet" : std::to_string(k.key), tone::accent}},
                       {"rotation", {k.rotating ? "older values are being encrypted anew" : ""}},
                       {"master key",
                        {k.master + (k.rewrapping ? ", and an older one that data keys are still wrapped with" : "")}},
                       {"from", {k.master_origin}}});
}

expected<int> secret_keys(context& c) {
    auto node = c.node();
    return node ? print_document<secret_keys_document>(c, (*node)->get("/secret-keys"),
                                                       [&](const auto& k) { return show_keys(c.out_screen(), k); })
                : expected<int>(node.error());
}

/// With both keys at hand, in the data folder of a node that does not run.
expected<int> rotate_offline(context& c, const std::string& new_file) {
    const auto data = find_data_folder(c.search());
    if (!data) {
        return c.usage({code::invalid_request, "Which data folder? --data DIR or TROUPE_DATA."});
    }
    const auto here = c.search().working_folder;
    const auto old_file = c.args().value("old-key-file");
    const auto fresh = actors::read_master_keys({{}, here / new_file, false});
    const auto old = actors::read_master_keys({{}, old_file ? here / *old_file : *data / "secrets.key", false});
    if (!fresh || !old) {
        return fresh ? old.error() : fresh.error();
    }
    const auto both = fresh->with(*old);
    storage::store_options options;
    options.directory = *data;
    options.must_exist = true;
    options.free_bytes_min = static_cast<std::uint64_t>(runtime::config().storage_free_bytes_min);
    const auto store = storage::store::open(options);
    if (!store) {
        return store.error();
    }
    if (auto attached = actors::attach_payload_keys(**store, both); !attached) {
        return attached.error();
    }
    const auto changed = actors::rewrap_offline(**store, both);
    if (!changed) {
        return changed.error();
    }
    if (c.json()) {
        c.print_json(fmt::format(R"({{"master":{},"keyrings":{}}})", json::quoted(both.current().id), *changed));
        return 0;
    }
    c.print(details(c.out_screen(), {{"wrapped anew", {fmt::format("{} keyrings", *changed)}},
                                     {"master key", {both.current().id, tone::accent}},
                                     {"next",
                                      {"start the node with secrets.key_file " + new_file +
                                       "; keep the old key as long as there are backups of before"}}}));
    return 0;
}

expected<int> secret_rotate(context& c) {
    if (const auto file = c.args().value("new-key-file")) {
        return rotate_offline(c, *file);
    }
    if (c.args().has("old-key-file")) {
        return c.usage({code::invalid_request, "--old-key-file takes --new-key-file with the key to change to."});
    }
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    auto body = (*node)->post("/secret-keys/rotate", to_json(rotate_keys_body{c.args().has("master")}));
    while (body) { // the node goes on by itself: this only watches
        const auto keys = from_json<secret_keys_document>(*body, strictness::stored);
        if (!keys || !keys->rotating) {
            break;
        }
        std::this_thread::sleep_for(look_again);
        body = (*node)->get("/secret-keys");
    }
    return print_document<secret_keys_document>(c, std::move(body),
                                                [&](const auto& k) { return show_keys(c.out_screen(), k); });
}

expected<int> secret_new_key(context& c) {
    const auto file = fs::absolute(c.search().working_folder / c.args().operand(0));
    if (auto made = actors::make_key_file(file); !made) {
        return made.error();
    }
    const auto keys = actors::read_master_keys({{}, file, false});
    if (!keys) {
        return keys.error();
    }
    c.json() ? c.print_json(fmt::format(R"({{"file":{},"master":{}}})", json::quoted(file.string()),
                                        json::quoted(keys->current().id)))
             : c.print(fmt::format("Made {} with the master key {}.\n", file.string(), keys->current().id));
    return 0;
}

} // namespace

std::vector<command> secret_commands() {
    const grammar name{.operands = "NAME", .operands_min = 1, .operands_max = 1};
    return {
        {"secret set",
         "Set a secret: from standard input, a file or a variable, never from the command line. The node encrypts it "
         "and "
         "shows it to nobody; `model.openai.api_key: secret:NAME` uses one. A line end at its end is left out.",
         {.flags = {{"from-file", "FILE", "Read the value from a file."},
                    {"from-env", "VARIABLE", "Take the value from an environment variable."}},
          .operands = "NAME",
          .operands_min = 1,
          .operands_max = 1},
         "troupe secret set OPENAI --from-file key.txt\npass show openai | troupe secret set OPENAI\n"
         "troupe secret set OPENAI --from-env OPENAI_API_KEY",
         secret_set},
        {"secret list", "Names and versions of secrets.", {.flags = {limit_flag()}}, "troupe secret list", secret_list},
        {"secret delete", "Delete a secret.", name, "troupe secret delete OPENAI", secret_delete},
        {"secret keys", "Which keys secrets are encrypted with.", {}, "troupe secret keys", secret_keys},
        {"secret rotate-key",
         "Make a new data key and encrypt every secret with it; or, with --master, a new master key, first in the "
         "node's "
         "key file. With --new-key-file: change the master key of a data folder whose node does not run. A kill loses "
         "nothing: repeat it.",
         {.flags = {{"master", "", "A new master key instead; the older ones stay in the file, for older backups."},
                    {"new-key-file", "FILE", "The master key to change to; see `troupe secret new-key`."},
                    {"old-key-file", "FILE", "The master key so far; by default secrets.key in the data folder."}}},
         "troupe secret rotate-key\ntroupe secret rotate-key --master\n"
         "troupe secret rotate-key --data ./data --old-key-file old.key --new-key-file new.key",
         secret_rotate},
        {"secret new-key",
         "Make a file with a new master key, readable by you alone.",
         {.operands = "FILE", .operands_min = 1, .operands_max = 1},
         "troupe secret new-key /etc/troupe/secrets.key",
         secret_new_key},
    };
}

} // namespace troupe::cli
