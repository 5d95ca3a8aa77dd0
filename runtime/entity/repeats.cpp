#include "runtime/entity/repeats.hpp"

#include "runtime/entity/derive.hpp"
#include "runtime/retention/history_cut.hpp"
#include "schemas/base/limits.hpp"
#include "storage/log_reader.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace troupe::runtime {

namespace {

using found_row = expected<std::optional<storage::command_row>>;

/// A command that nobody can repeat was decided before only if an earlier incarnation died before its answer.
found_row decided_before(const repeat_source& from, const held_command& held) {
    std::optional<storage::command_row> found;
    const auto after = std::max(held.decided_after.load(), from.base);
    if (after >= from.version) {
        return found;
    }
    auto read = storage::read_history(from.store, from.self, after, [&](storage::record&& r) -> expected<void> {
        if (r.command_id == held.command.id && r.index_in_batch == 0) {
            found = {r.request_hash, r.entity_seq, r.batch_size, r.time};
        }
        return {};
    });
    if (read && !found && held.decided_after < from.base) {
        return problem{code::unknown_outcome,
                       "the command may be done, but retention has cut the events that would tell; "
                       "look at the entity before you send it again"};
    }
    return read ? found_row(found) : read.error();
}

/// From the history, which has its events.
reply answer_again(const repeat_source& from, const command& c, std::uint64_t first, std::uint64_t last) {
    const auto then = from.kind.make();
    const auto begin = restore_before(from.store, from.self, first, *then);
    if (!begin) {
        return begin.error();
    }
    std::vector<storage::record> events;
    auto read = storage::read_history(
        from.store, from.self, *begin,
        [&](storage::record&& r) {
            auto replayed = then->replay(r);
            if (r.entity_seq >= first) {
                events.push_back(std::move(r));
            }
            return replayed;
        },
        last);
    if (!read) {
        return read.error();
    }
    if (!events.empty() && events.front().type == poisoned_event) {
        return poison_answer(c, "see the entity's history");
    }
    auto document = then->answer(events, {from.self.id, last});
    return document ? reply(outcome{last, true, std::move(*document)}) : reply(document.error());
}

} // namespace

std::optional<reply> answer_of_repeat(const repeat_source& from, const held_command& held,
                                      const entity_instance& present, std::uint64_t now) {
    const auto& c = held.command;
    if (from.version == 0) {
        return std::nullopt; // nothing was ever applied
    }
    const bool remembered = storage::is_remembered(c.id);
    auto row = remembered ? storage::read_command(from.store, from.self, c.id) : decided_before(from, held);
    if (!row) {
        return reply(row.error());
    }
    if (!*row || (*row)->first_version > from.version) {
        return std::nullopt;
    }
    if ((*row)->request_hash != c.request_hash) {
        return reply(key_mismatch(c));
    }
    const auto last = (*row)->first_version + (*row)->events - 1;
    const auto present_document = [&] {
        return reply(outcome{last, true, present.view({from.self.id, now}).document});
    };
    switch ((*row)->answer) {
    case storage::repeat_answer::made_again:
        break;
    case storage::repeat_answer::document:
        return present_document();
    case storage::repeat_answer::kept:
        return reply(outcome{last, true, (*row)->kept});
    case storage::repeat_answer::poison:
        return reply(poison_answer(c, "its event is not kept any more"));
    }
    auto answer = answer_again(from, c, (*row)->first_version, last);
    const bool cut = !answer && answer.error().code == code::not_found;
    return cut && !remembered ? present_document() : std::move(answer);
}

problem poison_answer(const command& c, std::string_view cause) {
    return {code::poison, "the command '" + c.type + "' crashed its entity " + std::to_string(limits::poison_crashes) +
                              " times and was set aside: " + std::string(cause)};
}

problem key_mismatch(const command& c) {
    return {code::idempotency_mismatch,
            "the Idempotency-Key was used before with another '" + c.type + "'; use a new one for a new request"};
}

} // namespace troupe::runtime
