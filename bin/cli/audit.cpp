#include "schemas/audit.hpp"
#include "bin/cli/ask.hpp"
#include "bin/cli/commands.hpp"
#include "bin/cli/download.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/text.hpp"
#include "storage/audit_document.hpp"
#include "storage/store.hpp"

#include <fmt/format.h>

#include <array>
#include <fstream>
#include <utility>

/// The audit log: who did what, when and from where.
namespace troupe::cli {
namespace {

constexpr std::array filters{"from", "until", "principal", "action", "kind", "entity", "result", "address"};

std::string base_of(const context& c) { return c.args().has("node") ? "/system/audit" : "/audit"; }

query_list filters_of(const context& c) {
    query_list out;
    for (const auto* name : filters) {
        out.emplace_back(name, c.args().value_or(name, ""));
    }
    return out;
}

tone tone_of(audit_result r) {
    return r == audit_result::success ? tone::good : r == audit_result::denied ? tone::warn : tone::bad;
}

expected<int> audit_list(context& c) {
    return print_list<audit_entry>(
        c, base_of(c), filters_of(c), "There is nothing of that in the audit log.", [&](const auto& items) {
            std::vector<std::vector<cell>> rows;
            for (const auto& e : items) {
                rows.push_back({{to_string(e.at).substr(0, 19) + "Z", tone::faint},
                                {std::string(detail::enum_name(e.result)), tone_of(e.result)},
                                {e.action, tone::accent},
                                {e.principal},
                                {e.kind + "/" + to_string(e.entity_id)},
                                {e.address, tone::faint},
                                {e.id, tone::faint}});
            }
            return table(c.out_screen(),
                         {{"WHEN"},
                          {"RESULT"},
                          {"ACTION"},
                          {"WHO", false, true, 12},
                          {"WHAT", false, true, 12},
                          {"FROM", false, true, 9},
                          {"ID"}},
                         rows);
        });
}

expected<int> audit_show(context& c) {
    auto node = c.node();
    return node
               ? print_document<audit_entry>(
                     c, (*node)->get(base_of(c) + "/" + encode_segment(c.args().operand(0))),
                     [&](const audit_entry& e) {
                         return details(
                             c.out_screen(),
                             {{"when", {to_string(e.at)}},
                              {"result", {std::string(detail::enum_name(e.result)), tone_of(e.result)}},
                              {"action", {e.action, tone::accent}},
                              {"who", {e.principal}},
                              {"from", {e.address + (e.user_agent.empty() ? "" : ", " + e.user_agent)}},
                              {"what",
                               {e.kind + "/" + to_string(e.entity_id) + ", version " + std::to_string(e.version)}},
                              {"request", {e.request_id}},
                              {"cause", {e.cause}},
                              {"record", {e.record, tone::faint}},
                              {"chain", {std::to_string(e.number) + ": " + e.chain, tone::faint}},
                              {"details",
                               {e.details ? e.details->text
                                          : "not kept any more, or never shown (accounts, sessions, keys, secrets)"}}});
                     })
               : expected<int>(node.error());
}

expected<int> audit_export(context& c) {
    auto query = filters_of(c);
    query.emplace_back("format", c.args().value_or("format", "csv"));
    const auto file = c.args().value_or("out", "-");
    const auto done = download_to(c, with_query(base_of(c) + "/export", query), file);
    if (done && file != "-") {
        c.note("Written to " + file + ".");
    }
    return done ? expected<int>(0) : expected<int>(done.error());
}

expected<int> audit_anchor(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto body = (*node)->get(base_of(c) + "/anchor");
    if (!body) {
        return body.error();
    }
    const auto file = c.args().value_or("out", "-");
    if (file == "-") {
        c.print_json(*body);
        return 0;
    }
    std::ofstream out(c.search().working_folder / file, std::ios::trunc);
    out << *body << "\n";
    out.close();
    if (out.fail()) {
        return problem{code::storage_failed, "The file " + file + " cannot be written."};
    }
    const auto anchor = from_json<audit_anchor_document>(*body, strictness::stored);
    c.note(fmt::format("{} chains, digest {}. Keep {} where nobody who can write to the node can write.",
                       anchor ? anchor->chains.size() : 0, anchor ? anchor->digest : "", file));
    return 0;
}

expected<audit_anchor_document> given_anchor(context& c) {
    const auto file = c.args().value("anchor");
    if (!file) {
        return audit_anchor_document{};
    }
    const auto text = text_of(c, *file);
    return text ? from_json<audit_anchor_document>(*text, strictness::stored)
                : expected<audit_anchor_document>(text.error());
}

/// Of a folder: all organizations, with no node in between that could say what it likes.
expected<audit_verification_document> verify_folder(const std::filesystem::path& folder,
                                                    const std::vector<audit_chain_end>& chains) {
    storage::store_options options;
    options.directory = folder;
    options.read_only = true;
    const auto store = storage::store::open(options);
    if (!store) {
        return store.error();
    }
    const auto known = storage::read_anchor(chains);
    if (!known) {
        return known.error();
    }
    return storage::to_document(storage::verify_audit(**store, std::nullopt, *known, [](std::uint64_t) {}));
}

expected<int> audit_verify(context& c) {
    const auto anchor = given_anchor(c);
    if (!anchor) {
        return c.usage(anchor.error());
    }
    expected<audit_verification_document> found;
    if (!c.args().operands().empty()) {
        found = verify_folder(c.search().working_folder / c.args().operand(0), anchor->chains);
    } else {
        auto node = c.node();
        const auto body = node ? (*node)->post(base_of(c) + "/verify", to_json(verify_audit_body{anchor->chains}))
                               : expected<std::string>(node.error());
        found = body ? from_json<audit_verification_document>(*body, strictness::stored)
                     : expected<audit_verification_document>(body.error());
    }
    if (!found) {
        return found.error();
    }
    if (c.json()) {
        c.print_json(to_json(*found));
        return found->good ? 0 : 1;
    }
    std::string bad;
    for (const auto& each : found->bad) {
        bad += (bad.empty() ? "" : "\n") + each;
    }
    std::vector<std::pair<std::string, cell>> rows{
        {"lines", {fmt::format("{} in {} chains", count_text(found->lines), count_text(found->chains))}},
        {"compared", {fmt::format("{} with their records in the journal", count_text(found->compared))}},
        {"pending", {fmt::format("{} records are newer than the log", count_text(found->pending))}},
        {"anchor",
         {anchor->chains.empty()
              ? "none given: an end that was cut off together with its records does not show"
              : fmt::format("{} chains of {} were looked for", found->anchored, to_string(anchor->at))}}};
    if (!bad.empty()) {
        rows.push_back({"found", {bad, tone::bad}});
    }
    rows.push_back(
        {"verdict",
         {found->good ? "✓ nothing was changed or taken out" : fmt::format("✗ {} faults", count_text(found->bad_count)),
          found->good ? tone::good : tone::bad}});
    c.print(details(c.out_screen(), rows));
    return found->good ? 0 : 1;
}

std::vector<flag> filter_flags(std::vector<flag> more) {
    std::vector<flag> out{{"node", "", "The log of the node itself: people, sessions, requests of nobody."},
                          {"from", "TIME", "This time or later, as 2026-11-21T12:00:00Z."},
                          {"until", "TIME", "Before this time."},
                          {"principal", "WHO", "As user/018f…, key/admin, run/018f…, nobody."},
                          {"action", "EVENT", "As task_created or request_denied."},
                          {"kind", "KIND", "Of what was changed, as task."},
                          {"entity", "ID", "The id of what was changed."},
                          {"result", "RESULT", "success, failure or denied."},
                          {"address", "IP", "From where."}};
    out.insert(out.end(), more.begin(), more.end());
    return out;
}

} // namespace

std::vector<command> audit_commands() {
    const flag of_node{"node", "", "The log of the node itself."};
    const flag out{"out", "FILE", "Where to; standard output without it.", 'o'};
    return {
        {"audit list",
         "Who did what, when and from where: every change and every refused request, the newest first.",
         {.flags = filter_flags({limit_flag()})},
         "troupe audit list --result denied\ntroupe audit list --kind task --from 2026-11-21T00:00:00Z --json",
         audit_list},
        {"audit show",
         "One line with the event itself.",
         {.flags = {of_node}, .operands = "ID", .operands_min = 1, .operands_max = 1},
         "troupe audit show 1763733600000-17-42",
         audit_show},
        {"audit export",
         "Lines as a file, the oldest first.",
         {.flags = filter_flags({{"format", "FORMAT", "csv, json or pdf; csv by default.", 'f'}, out})},
         "troupe audit export --from 2026-11-01T00:00:00Z --format pdf --out november.pdf",
         audit_export},
        {"audit anchor",
         "Where the chains of the log end now: kept elsewhere, it shows later that nothing before was changed.",
         {.flags = {of_node, out}},
         "troupe audit anchor --out anchor-2026-11-21.json",
         audit_anchor},
        {"audit verify",
         "Read the whole log: whether a line was changed, taken out or cut off. With DIR it reads the data folder "
         "itself, "
         "of all organizations.",
         {.flags = {of_node, {"anchor", "FILE", "An anchor that was kept: its ends have to be part of the log."}},
          .operands = "[DIR]",
          .operands_max = 1},
         "troupe audit verify --anchor anchor-2026-11-21.json\ntroupe audit verify /var/lib/troupe",
         audit_verify},
    };
}

} // namespace troupe::cli
