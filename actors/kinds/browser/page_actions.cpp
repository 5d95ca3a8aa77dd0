#include "actors/kinds/browser/page_actions.hpp"

#include "schemas/base/cipher.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace troupe::actors::page_actions {

using net::devtools::message;

namespace {

constexpr std::int64_t screenshot_ms_max = 20'000;
constexpr double full_page_pixels_max = 10'000;
constexpr std::size_t screenshot_bytes_max = 12 << 20;

/// What is read of a page: more than is ever shown, and a bound on what a page can make the node hold.
constexpr std::size_t extract_chars_max = 2'000'000;

constexpr std::string_view extract_function = R"js(function(selector, format, limit) {
  const root = this.nodeType === 9 ? this.documentElement : this;
  const from = selector ? root.querySelector(selector) : root;
  if (!from) return null;
  const flat = e => (e.innerText ?? e.textContent ?? '').replace(/\s+/g, ' ').trim();
  let out = '';
  if (format === 'text') {
    out = from.innerText ?? from.textContent ?? '';
  } else if (format === 'links') {
    const all = from.matches('a[href]') ? [from] : [...from.querySelectorAll('a[href]')];
    out = all.slice(0, 2000).map(a => (flat(a) || '(no text)') + ' -> ' + a.href).join('\n');
  } else if (format === 'table') {
    const table = from.closest('table') ?? from.querySelector('table');
    if (!table) return null;
    out = [...table.rows].slice(0, 5000).map(r => [...r.cells].map(flat).join(' | ')).join('\n');
  } else {
    out = from.outerHTML;
  }
  return out.slice(0, limit);
})js";

constexpr std::string_view select_all_function = R"js(function() {
  if (this.disabled || this.readOnly) return 'it cannot be changed now';
  if (this.matches('input[type=file]')) return 'files are not uploaded';
  this.focus();
  if (this.select) this.select();
  else if (this.isContentEditable) getSelection().selectAllChildren(this);
  else return 'it is no field for text';
  return '';
})js";

constexpr std::string_view select_function = R"js(function(wanted) {
  if (!this.matches('select')) return {why: 'it is no list of choices: click on it'};
  if (this.disabled) return {why: 'it cannot be changed now'};
  const all = [...this.options];
  const fits = all.find(o => o.value === wanted) ?? all.find(o => o.label.trim() === wanted);
  if (!fits || fits.disabled)
    return {why: 'there is no such choice; there are: ' + all.slice(0, 50).map(o => o.label.trim()).join(', ')};
  if (this.multiple) fits.selected = true; else this.value = fits.value;
  this.dispatchEvent(new Event('input', {bubbles: true}));
  this.dispatchEvent(new Event('change', {bubbles: true}));
  return {chosen: fits.label.trim()};
})js";

template <class... Fields>
std::string object(const Fields&... fields) {
    std::string out;
    json::object_writer w(out);
    (w.field(fields.first, fields.second), ...);
    w.end();
    return out;
}

problem not_there() {
    return {code::not_found, "the element is gone or is not shown; call browser_view to see the page as it is now"};
}

/// A world of our own: scripts of the page do not see it, and cannot change what functions mean in it.
expected<std::int64_t> own_world(browser& b, const std::stop_token& stop) {
    const auto tree = b.call("Page.getFrameTree", "{}", stop);
    if (!tree) {
        return tree.error();
    }
    const auto frame = tree->content().pointer("/frameTree/frame/id");
    const auto made = b.call("Page.createIsolatedWorld",
                             object(std::pair("frameId", frame ? frame->as_string().value_or("") : std::string_view()),
                                    std::pair("worldName", std::string_view("troupe"))),
                             stop);
    return made ? expected<std::int64_t>(made->content().int_or("executionContextId")) : made.error();
}

/// The object that functions are called on: an element, or with node 0 the document.
expected<std::string> object_of(browser& b, std::int64_t node, const std::stop_token& stop) {
    const auto world = own_world(b, stop);
    if (!world) {
        return world.error();
    }
    const auto found =
        node == 0
            ? b.call("Runtime.evaluate",
                     object(std::pair("expression", std::string_view("document")), std::pair("contextId", *world)),
                     stop)
            : b.call("DOM.resolveNode",
                     object(std::pair("backendNodeId", node), std::pair("executionContextId", *world)), stop);
    if (!found) {
        return node == 0 || found.error().code != code::tool_failed ? found.error() : not_there();
    }
    const auto id = found->content().pointer(node == 0 ? "/result/objectId" : "/object/objectId");
    const auto text = id ? id->as_string() : std::nullopt;
    return text ? expected<std::string>(std::string(*text)) : not_there();
}

/// Calls a function with arguments (a JSON array of them) on an element; what it gives is `/result/value`.
expected<message> call_on(browser& b, std::int64_t node, std::string_view function, const std::string& arguments,
                          const std::stop_token& stop) {
    const auto on = object_of(b, node, stop);
    if (!on) {
        return on.error();
    }
    std::string parameters;
    json::object_writer w(parameters);
    w.field("objectId", *on).field("functionDeclaration", function).raw_field("arguments", arguments);
    w.field("returnByValue", true).field("userGesture", true).end();
    auto done = b.call("Runtime.callFunctionOn", parameters, stop);
    if (done) {
        if (const auto thrown = done->content().find("exceptionDetails")) {
            const auto why = thrown->pointer("/exception/description");
            return problem{code::tool_failed,
                           one_line(why ? why->as_string().value_or("it failed") : "it failed", 300)};
        }
    }
    return done;
}

std::string text_argument(std::string_view text) { return "{\"value\":" + json::quoted(text) + "}"; }

struct point {
    double x = 0;
    double y = 0;
};

/// The middle of the first part of an element that is shown.
expected<point> place_of(browser& b, std::int64_t node, const std::stop_token& stop) {
    const auto of = object(std::pair("backendNodeId", node));
    const auto shown = b.call("DOM.scrollIntoViewIfNeeded", of, stop);
    auto quads = shown ? b.call("DOM.getContentQuads", of, stop) : shown.error();
    if (!quads) {
        return quads.error().code == code::tool_failed ? not_there() : quads.error();
    }
    const auto first = quads->content().pointer("/quads/0");
    if (!first || first->size() != 8) {
        return not_there();
    }
    point sum;
    bool is_x = true;
    first->each_element([&](json::value number) {
        (is_x ? sum.x : sum.y) += number.as_double().value_or(0) / 4;
        is_x = !is_x;
    });
    return sum;
}

expected<void> press_mouse(browser& b, const point& at, bool& begun, const std::stop_token& stop) {
    for (const std::string_view what : {"mouseMoved", "mousePressed", "mouseReleased"}) {
        std::string parameters;
        json::object_writer w(parameters);
        w.field("type", what).field("x", at.x).field("y", at.y);
        w.field("button", what == "mouseMoved" ? "none" : "left")
            .field("clickCount", what == "mouseMoved" ? 0 : 1)
            .end();
        begun = begun || what != "mouseMoved";
        if (auto done = b.call("Input.dispatchMouseEvent", parameters, stop); !done) {
            return done.error();
        }
    }
    return {};
}

expected<void> press_key(browser& b, std::string_view key, int code, std::string_view text,
                         const std::stop_token& stop) {
    for (const std::string_view what : {"keyDown", "keyUp"}) {
        std::string parameters;
        json::object_writer w(parameters);
        w.field("type", what).field("key", key).field("code", key).field("windowsVirtualKeyCode", code);
        if (what == "keyDown" && !text.empty()) {
            w.field("text", text);
        }
        w.end();
        if (auto done = b.call("Input.dispatchKeyEvent", parameters, stop); !done) {
            return done.error();
        }
    }
    return {};
}

std::string text_at(const message& m, std::string_view pointer) {
    const auto found = m.content().pointer(pointer);
    return found ? std::string(found->as_string().value_or("")) : std::string();
}

} // namespace

expected<std::string> view(browser& b, const std::stop_token& stop) {
    const auto got = b.call("Accessibility.getFullAXTree", "{}", stop);
    if (!got) {
        return got.error();
    }
    const auto nodes = got->content().find("nodes");
    auto tree = nodes ? read_tree(*nodes) : page_tree();
    b.remember(std::move(tree.refs));
    return std::move(tree.text);
}

expected<void> click(browser& b, std::string_view ref, bool& begun, const std::stop_token& stop) {
    const auto node = b.find(ref);
    const auto at = node ? place_of(b, *node, stop) : expected<point>(node.error());
    if (!at) {
        return at.error();
    }
    if (auto done = press_mouse(b, *at, begun, stop); !done) {
        return done;
    }
    b.settle(stop);
    return {};
}

expected<void> type(browser& b, const browser_type_arguments& a, bool& begun, const std::stop_token& stop) {
    const auto node = b.find(a.ref);
    if (!node) {
        return node.error();
    }
    const auto ready = call_on(b, *node, select_all_function, "[]", stop);
    if (!ready) {
        return ready.error();
    }
    if (const auto why = text_at(*ready, "/result/value"); !why.empty()) {
        return problem{code::invalid_request, fmt::format("nothing can be typed into {}: {}", a.ref, why)};
    }
    begun = true;
    auto done = a.text.empty() ? press_key(b, "Delete", 46, "", stop) : expected<void>();
    if (!a.text.empty()) {
        const auto typed = b.call("Input.insertText", object(std::pair("text", a.text)), stop);
        done = typed ? expected<void>() : expected<void>(typed.error());
    }
    if (done && a.submit) {
        done = press_key(b, "Enter", 13, "\r", stop);
    }
    if (done) {
        b.settle(stop);
    }
    return done;
}

expected<std::string> select(browser& b, const browser_select_arguments& a, bool& begun, const std::stop_token& stop) {
    const auto node = b.find(a.ref);
    if (!node) {
        return node.error();
    }
    begun = true;
    const auto done = call_on(b, *node, select_function, "[" + text_argument(a.value) + "]", stop);
    if (!done) {
        return done.error();
    }
    if (const auto why = text_at(*done, "/result/value/why"); !why.empty()) {
        begun = false;
        return problem{code::invalid_request, fmt::format("nothing was chosen: {}", one_line(why, 2000))};
    }
    b.settle(stop);
    return text_at(*done, "/result/value/chosen");
}

expected<bool> shows(browser& b, std::string_view text, const std::stop_token& stop) {
    const auto done = call_on(b, 0, "function(text) { return !!this.body && this.body.innerText.includes(text); }",
                              "[" + text_argument(text) + "]", stop);
    if (!done) {
        return done.error();
    }
    const auto found = done->content().pointer("/result/value");
    return found && found->as_bool().value_or(false);
}

expected<std::string> extract(browser& b, const browser_extract_arguments& a, const std::stop_token& stop) {
    const auto node = a.ref.empty() ? expected<std::int64_t>(0) : b.find(a.ref);
    if (!node) {
        return node.error();
    }
    const auto format = a.format == extract_format::markdown ? extract_format::html : a.format;
    const auto done = call_on(b, *node, extract_function,
                              fmt::format("[{},{},{{\"value\":{}}}]", text_argument(a.selector),
                                          text_argument(troupe::detail::enum_name(format)), extract_chars_max),
                              stop);
    if (!done) {
        return done.error();
    }
    const auto found = done->content().pointer("/result/value");
    const auto text = found ? found->as_string() : std::nullopt;
    return text ? expected<std::string>(std::string(*text))
                : problem{code::not_found,
                          a.format == extract_format::table ? "there is no table there" : "nothing fits the selector"};
}

expected<std::string> title(browser& b, const std::stop_token& stop) {
    const auto done = call_on(b, 0, "function() { return this.title.slice(0, 1000); }", "[]", stop);
    return done ? expected<std::string>(one_line(text_at(*done, "/result/value"), 300)) : done.error();
}

expected<std::string> screenshot(browser& b, bool full_page, const std::stop_token& stop) {
    std::string parameters;
    json::object_writer w(parameters);
    w.field("format", "png");
    if (full_page) {
        const auto sizes = b.call("Page.getLayoutMetrics", "{}", stop);
        const auto size = sizes ? sizes->content().find("cssContentSize") : std::nullopt;
        if (!size) {
            return sizes ? problem{code::tool_failed, "the page has no size"} : sizes.error();
        }
        const auto extent = [&](std::string_view name) {
            const auto number = size->find(name);
            return std::clamp(number ? number->as_double().value_or(1) : 1, 1.0, full_page_pixels_max);
        };
        std::string clip;
        json::object_writer c(clip);
        c.field("x", 0).field("y", 0).field("width", extent("width")).field("height", extent("height"));
        c.field("scale", 1).end();
        w.field("captureBeyondViewport", true).raw_field("clip", clip);
    }
    w.end();
    const auto shot = b.call("Page.captureScreenshot", parameters, stop, screenshot_ms_max);
    if (!shot) {
        return shot.error();
    }
    auto bytes = from_base64(text_at(*shot, "/data"));
    if (!bytes || bytes->empty()) {
        return problem{code::tool_failed, "the browser gave no picture"};
    }
    if (bytes->size() > screenshot_bytes_max) {
        return problem{code::payload_too_large,
                       fmt::format("the picture has {} bytes, more than {}", bytes->size(), screenshot_bytes_max)};
    }
    return std::move(*bytes);
}

} // namespace troupe::actors::page_actions
