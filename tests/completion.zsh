# usage: zsh -f tests/completion.zsh LINE: what zsh offers behind it, a word a line. $files has the completion functions.
zmodload zsh/zpty
setup=$(mktemp)
cat > $setup <<'SETUP'
PROMPT=
fpath=($files $fpath)
autoload -U compinit
compinit -u -D
zstyle ':completion:*' completer _complete _ipcfs_facets
zstyle ':completion:*' insert-tab false
bindkey '^I' complete-word
# What is offered goes through here.
compadd() {
	local -a hits
	if [[ " ${(j: :)@[1,(i)(-|--)]} " != *' -'[OAD]' '* ]]; then
		builtin compadd -A hits "$@"
		print -rl -- ">>"${^hits}
	fi
	builtin compadd "$@"
}
finished() { print -r -- '==end'; exit }
comppostfuncs=(finished)
print rea''dy
SETUP
zpty z zsh -f -i
zpty -w z "source $setup"
zpty -r -m z out '*ready*'
rm $setup
zpty -n -w z "$1"$'\t'
while zpty -r z line; do
	[[ $line == *==end* ]] && break
	[[ $line == *'>>'* ]] && print -r -- ${${line##*>>}%%[$'\r\n']*}
done
zpty -d z
