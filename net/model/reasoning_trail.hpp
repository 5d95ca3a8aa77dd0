#pragma once

#include "net/model/model.hpp"
#include "schemas/base/json.hpp"

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

/// Providers that sign or encrypt what a model thought want it back unchanged, and where it stood among text and calls.
namespace troupe::net {

/// Notes that order while a reply comes. As JSON, `model_reply::reasoning_state`: an array in which an object is an
/// item of reasoning as it came, a number that many bytes of the content, null the next tool call.
class reasoning_trail {
public:
    void text(std::size_t bytes);
    void call();
    void item(std::string_view json);
    /// Empty when there was no reasoning: then there is no order to keep.
    [[nodiscard]] std::string json() const;

private:
    void add(std::string_view element);
    void end_text();

    std::string elements_;
    std::size_t text_bytes_ = 0; ///< Of the text that is being added.
    bool has_items_ = false;
};

/// Gives an assistant's message part by part, in its order; what its state does not mention comes last. Items are those
/// of these types: another wire's state is no use here.
void replay(const message& m, std::initializer_list<std::string_view> item_types,
            const std::function<void(std::string_view json)>& on_item,
            const std::function<void(std::string_view text)>& on_text,
            const std::function<void(const tool_call& call)>& on_call);

} // namespace troupe::net
