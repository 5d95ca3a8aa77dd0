#include "actors/search/search_desk.hpp"

#include "schemas/base/cipher.hpp"
#include "storage/sealing.hpp"
#include "storage/text_index.hpp"

#include <algorithm>
#include <utility>

namespace troupe::actors {
namespace {

/// Of a hidden word, which stands once for each text: 64 bits, so that two words of an organization are hardly ever
/// one.
constexpr std::size_t hidden_bytes = 8;

} // namespace

search_desk::search_desk(const runtime::services& s, std::filesystem::path folder)
    : services_(s), folder_(std::move(folder)) {}

std::filesystem::path search_desk::folder_of(const uuid& organization) const {
    return folder_ / to_string(organization);
}

expected<storage::hide_word> search_desk::hiding(const uuid& organization, bool writes) const {
    auto names =
        writes ? storage::index_names::for_writing(*services_.store, organization)
               : expected<storage::index_names>(storage::index_names::for_reading(*services_.store, organization));
    if (!names) {
        return names.error();
    }
    if (services_.store->keys() == nullptr) {
        return storage::hide_word([](std::string_view plain) { return std::string(plain); });
    }
    return storage::hide_word([names = std::move(*names)](std::string_view plain) {
        const auto hidden = from_hex(names(plain));
        return hidden ? hidden->substr(0, hidden_bytes) : std::string(plain); // without a key: of no text
    });
}

void search_desk::ask_rebuild(const uuid& organization) {
    const std::scoped_lock lock(mutex_);
    rebuilds_.insert(organization);
}

std::set<uuid> search_desk::take_rebuilds() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(rebuilds_, {});
}

expected<search_answer> answer_search(search_desk& desk, const search_question& question) {
    constexpr std::size_t looked_at_max = 500; // of hits that cannot be shown, a page
    const auto hide = desk.hiding(question.organization, false);
    if (!hide) {
        return hide.error();
    }
    auto query = question.query;
    const auto wanted = query.limit;
    search_answer out;
    for (std::size_t looked_at = 0; looked_at < looked_at_max;) {
        query.limit = wanted + 1;
        const auto hits = storage::search_index(desk.folder_of(question.organization), *hide, query);
        if (!hits) {
            if (hits.error().code != code::journal_damaged) {
                return hits.error();
            }
            desk.ask_rebuild(question.organization);
            return problem{code::unavailable, "The search index was damaged and is being made again."};
        }
        for (const auto& hit : *hits) {
            if (out.items.size() == wanted) {
                out.next_offset = query.offset;
                return out;
            }
            ++query.offset;
            ++looked_at;
            const auto what = parse_text_id(hit.id);
            auto found = what ? read_text(*desk.services().store, question.organization, what->first, what->second)
                              : expected<std::optional<found_text>>(std::nullopt);
            if (!found && found.error().code != code::not_found && found.error().code != code::erased) {
                return found.error();
            }
            if (!found || !*found || ((*found)->document && !question.may_read(*(*found)->document))) {
                continue;
            }
            auto item = std::move((*found)->item);
            item.score = hit.score;
            item.snippet = storage::make_snippet((*found)->text.body, query.clauses);
            out.items.push_back(std::move(item));
        }
        if (hits->size() <= wanted) {
            return out;
        }
    }
    out.next_offset = query.offset;
    return out;
}

} // namespace troupe::actors
